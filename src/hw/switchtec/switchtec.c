// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The switch as a model of a bridge: construction, checks of its geometry, and what happens when a host comes and goes.
 */
#include "hw/switchtec/switchtec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "hw/bridge/link.h"

#define LUT_SIZE    (1ULL << ONTB_SW_LUT_SHIFT)
#define MIN_VECTORS 3
#define MAX_VECTORS 64
#define MIN_LUTS    2
#define MIN_REQ_IDS 2
#define MAX_BAR	    (1ULL << 46)

/* Ids that Linux's driver binds as NTB endpoints: 6.12 switchtec.c, switchtec_pci_tbl. */
static const uint16_t gen4_ids[] = {
	0x4000, 0x4084, 0x4068, 0x4052, 0x4036, 0x4028, 0x4100, 0x4184, 0x4168, 0x4152, 0x4136, 0x4128, 0x4200, 0x4284,
	0x4268, 0x4252, 0x4236, 0x4228, 0x4352, 0x4336, 0x4328, 0x4452, 0x4436, 0x4428, 0x4552, 0x4536, 0x4528,
};

/* Gen5 ids are made of a family and a number of lanes. */
static const uint8_t gen5_lanes[] = { 0x00, 0x84, 0x68, 0x52, 0x36, 0x28 };

/* Gen3: family 3 to 7 (PFX, PSX, PAX, ...), size 1 to 6. */
static unsigned int find_gen(uint16_t id)
{
	if ((id & 0xff00) == 0x8500 && (id >> 4 & 0xf) >= 3 && (id >> 4 & 0xf) <= 7 && (id & 0xf) >= 1 &&
	    (id & 0xf) <= 6)
		return 3;
	for (size_t i = 0; i < ONTB_ARRAY_SIZE(gen4_ids); i++) {
		if (gen4_ids[i] == id)
			return 4;
	}
	if (id >= 0x5000 && id < 0x5600 && memchr(gen5_lanes, id & 0xff, sizeof(gen5_lanes)))
		return 5;
	return 0;
}

void ontb_switchtec_config_init(struct ontb_switchtec_config *config)
{
	*config = (struct ontb_switchtec_config){
		.nr_ports = 2,
		.device_id = 0x8532,
		.nr_vectors = 4,
		.nr_luts = 32,
		.bar2_size = 4 * ONTB_MIB,
		.bar4_size = 2 * ONTB_MIB,
		.nr_req_ids = 16,
		.nr_guard_slots = ONTB_GUARD_MAX_SLOTS,
	};
}

static bool check_number(const char *name, uint64_t value, uint64_t min, uint64_t max)
{
	if (value >= min && value <= max)
		return true;
	ontb_log(ONTB_LOG_ERROR, "switchtec: %s is %" PRIu64 ", must be %" PRIu64 " to %" PRIu64, name, value, min,
		 max);
	return false;
}

static bool check_power(const char *name, uint64_t value, uint64_t min, uint64_t max)
{
	if (!check_number(name, value, min, max))
		return false;
	if (ontb_is_power_of_two(value))
		return true;
	ontb_log(ONTB_LOG_ERROR, "switchtec: %s is %" PRIu64 ", must be a power of two", name, value);
	return false;
}

static bool is_config_valid(const struct ontb_switchtec_config *config)
{
	if (!check_number("number of ports", config->nr_ports, 2, ONTB_MAX_PORTS) ||
	    !check_number("number of vectors", config->nr_vectors, MIN_VECTORS, MAX_VECTORS) ||
	    !check_power("number of LUT windows", config->nr_luts, MIN_LUTS, ONTB_SW_MAX_LUTS) ||
	    !check_power("size of BAR2", config->bar2_size, 2 * LUT_SIZE * config->nr_luts, MAX_BAR) ||
	    !check_power("size of BAR4", config->bar4_size, LUT_SIZE, MAX_BAR) ||
	    !check_number("number of requester ids", config->nr_req_ids, MIN_REQ_IDS, ONTB_SW_MAX_REQ_IDS) ||
	    !check_number("number of guard slots", config->nr_guard_slots, 0, ONTB_GUARD_MAX_SLOTS))
		return false;
	if (config->nr_ports % 2) {
		ontb_log(ONTB_LOG_ERROR, "switchtec: number of ports is %u, must be even: ports come in pairs",
			 config->nr_ports);
		return false;
	}
	if (!find_gen(config->device_id)) {
		ontb_log(ONTB_LOG_ERROR, "switchtec: device id 0x%04x is not one that Linux's switchtec driver knows",
			 config->device_id);
		return false;
	}
	if (config->hold_doorbells_after_message_ns && !config->wake)
		ontb_log(ONTB_LOG_WARNING, "switchtec: doorbells are held back, but nobody is told when to run timers");
	return true;
}

static void host_lost(struct ontb_port *port)
{
	struct ontb_switchtec *sw = ontb_sw_of(port);
	struct ontb_port *peer = &sw->bridge.ports[port->peer_idx];

	ontb_sw_control_host_lost(port);
	ontb_sw_dbmsg_reset(sw, port->idx);
	ontb_sw_mrpc_reset(sw, port->idx);
	ontb_sw_guard_reset(sw, port->idx);
	ontb_sw_events_reset(sw, port->idx);
	ontb_sw_event_raise(sw, ontb_sw_partcfg(port->idx) + ONTB_SW_PARTCFG_EV_RESET, port);
	ontb_sw_event_raise(sw, ontb_sw_pff(ontb_sw_vep_pff(port->idx)) + ONTB_SW_PFF_EV_LINK_STATE, peer);
}

static void free_parts(struct ontb_switchtec *sw, unsigned int nr_ports)
{
	for (unsigned int p = 0; p < nr_ports; p++) {
		ontb_sw_guard_fini(sw, p);
		ontb_lock_fini(&sw->parts[p].ctrl_lock);
		ontb_lock_fini(&sw->parts[p].msg_lock);
	}
	free(sw->parts);
}

static void free_switch(struct ontb_bridge *bridge)
{
	struct ontb_switchtec *sw = ontb_container_of(bridge, struct ontb_switchtec, bridge);

	free_parts(sw, bridge->nr_ports);
	ontb_bridge_fini(bridge);
	free(sw->image);
	free(sw);
}

static const struct ontb_model_ops switchtec_ops = {
	.name = "switchtec",
	.reg_read = ontb_sw_read,
	.reg_write = ontb_sw_write,
	.reg_name = ontb_switchtec_register_name,
	.host_lost = host_lost,
	.host_changed = ontb_sw_info_link_changed,
	.free = free_switch,
};

static int add_apertures(struct ontb_port *port, unsigned int nr_luts)
{
	static const unsigned int window_bars[] = { ONTB_SW_BAR_LUT, ONTB_SW_BAR_DIRECT };

	for (unsigned int i = 0; i < ONTB_ARRAY_SIZE(window_bars); i++) {
		struct ontb_bar *bar = &port->bars[window_bars[i]];

		for (unsigned int a = ONTB_SW_AP_LUT; a <= ONTB_SW_AP_DIRECT; a++) {
			bool is_lut = a == ONTB_SW_AP_LUT;
			int ret = ontb_aperture_init(&bar->apertures[a], is_lut ? nr_luts : 1, is_lut);

			if (ret)
				return ret;
			bar->nr_apertures++;
		}
	}
	return 0;
}

/* On failure ontb_bridge_fini() undoes the ports that are made, this one included. */
static int make_port(struct ontb_switchtec *sw, unsigned int idx)
{
	const struct ontb_switchtec_config *config = &sw->config;
	struct ontb_port_config port_config = {
		.ids = {
			.vendor = ONTB_SW_VENDOR,
			.device = config->device_id,
			.class_code = ONTB_SW_CLASS,
			.link_speed = (uint8_t)sw->gen,
			.link_width = 16,
		},
		.bars = {
			[0] = { .size = ONTB_SW_BAR0_SIZE, .is_64bit = true },
			[ONTB_SW_BAR_LUT] = { .size = config->bar2_size, .is_64bit = true, .prefetchable = true },
			[ONTB_SW_BAR_DIRECT] = { .size = config->bar4_size, .is_64bit = true, .prefetchable = true },
		},
		.reg_bar = 0,
		.msix = {
			.nr_vectors = config->nr_vectors,
			.bar = 0,
			.table = ontb_sw_dbmsg(idx) + ONTB_SW_MSIX_TABLE,
			.pba = ontb_sw_dbmsg(idx) + ONTB_SW_MSIX_PBA,
		},
	};

	int ret;

	ontb_port_init(&sw->bridge.ports[idx], &sw->bridge, idx, idx ^ 1, &port_config);
	ret = add_apertures(&sw->bridge.ports[idx], config->nr_luts);
	return ret ? ret : ontb_sw_guard_init(sw, idx);
}

static int make_ports(struct ontb_switchtec *sw)
{
	struct ontb_bridge_config config = {
		.nr_ports = sw->config.nr_ports,
		.doorbell_hold_ns = sw->config.hold_doorbells_after_message_ns,
		.trace = sw->config.trace,
		.wake = sw->config.wake,
		.wake_arg = sw->config.wake_arg,
	};
	int ret;

	ret = ontb_bridge_init(&sw->bridge, &switchtec_ops, &config);
	if (ret)
		return ret;
	for (unsigned int p = 0; p < config.nr_ports; p++) {
		ret = make_port(sw, p);
		if (ret)
			goto fini_bridge;
	}
	return 0;

fini_bridge:
	for (unsigned int p = 0; p < config.nr_ports; p++)
		ontb_sw_guard_fini(sw, p);
	ontb_bridge_fini(&sw->bridge);
	return ret;
}

int ontb_switchtec_new(const struct ontb_switchtec_config *config, struct ontb_bridge **out)
{
	struct ontb_switchtec *sw;
	int ret;

	if (!is_config_valid(config))
		return -EINVAL;
	sw = aligned_alloc(_Alignof(struct ontb_switchtec), sizeof(*sw));
	if (!sw)
		return -ENOMEM;
	memset(sw, 0, sizeof(*sw));
	sw->config = *config;
	sw->gen = find_gen(config->device_id);
	sw->image = calloc(ontb_sw_image_size(config->nr_ports) / 4, sizeof(*sw->image));
	if (!sw->image) {
		ret = -ENOMEM;
		goto free_sw;
	}
	sw->parts = calloc(config->nr_ports, sizeof(*sw->parts));
	if (!sw->parts) {
		ret = -ENOMEM;
		goto free_image;
	}
	ret = make_ports(sw);
	if (ret)
		goto free_parts;
	for (unsigned int p = 0; p < config->nr_ports; p++) {
		ontb_lock_init(&sw->parts[p].msg_lock);
		ontb_sw_control_init(sw, p);
		ontb_sw_dbmsg_reset(sw, p);
		ontb_sw_mrpc_reset(sw, p);
	}
	ontb_sw_info_init(sw);
	*out = &sw->bridge;
	return 0;

free_parts:
	free(sw->parts);
free_image:
	free(sw->image);
free_sw:
	free(sw);
	return ret;
}
