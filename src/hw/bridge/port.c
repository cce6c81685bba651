// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A port as its carrier sees it: ontb_func_ops.
 */
#include "hw/bridge/port.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/probe.h"
#include "base/trace.h"
#include "hw/bridge/bridge.h"
#include "hw/bridge/link.h"

static struct ontb_port *to_port(struct ontb_func *func)
{
	return ontb_container_of(func, struct ontb_port, func);
}

void ontb_port_fault(struct ontb_port *port, const char *fmt, ...)
{
	char text[ONTB_STATUS_TEXT];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ontb_lock(&port->error_lock);
	memcpy(port->last_error, text, sizeof(text));
	ontb_unlock(&port->error_lock);
	ontb_log_limited(&port->log_limit, ONTB_LOG_NOTICE, "port %u: %s", port->idx, text);
}

static void trace_vector(const struct ontb_port *port, unsigned int vector, const char *name)
{
	ontb_trace_emit(port->bridge->trace, &(struct ontb_trace_event){
						     .category = "interrupt",
						     .name = name,
						     .port_idx = port->idx,
						     .args = { { .key = "vector", .num = vector } },
					     });
}

static void send_vector(struct ontb_port *port, unsigned int vector)
{
	atomic_fetch_add_explicit(&port->nr_interrupts, 1, memory_order_relaxed);
	ONTB_PROBE2(interrupt, port->idx, vector);
	if (ontb_unlikely(port->bridge->trace))
		trace_vector(port, vector, "interrupt");
	port->host_ops->raise_vector(port->host, vector);
}

static void send_latched(struct ontb_port *port)
{
	uint64_t bits = atomic_exchange(&port->latched_vectors, 0);

	for (; bits && port->host_ops; bits &= bits - 1)
		send_vector(port, (unsigned int)__builtin_ctzll(bits));
}

void ontb_port_raise_vector(struct ontb_port *port, unsigned int vector)
{
	if (!port->host_ops)
		return;
	if (vector >= port->nr_vectors) {
		ontb_port_fault(port, "interrupt on vector %u: the function has %u vectors", vector, port->nr_vectors);
		return;
	}
	if (ontb_likely(atomic_load(&port->bus_master))) {
		send_vector(port, vector);
		return;
	}
	if (ontb_unlikely(port->bridge->trace))
		trace_vector(port, vector, "interrupt latched (bus mastering is off)");
	atomic_fetch_or(&port->latched_vectors, 1ULL << vector);
	/* Bus mastering may have come on between the look and the latch; then nobody else would send it. */
	if (atomic_load(&port->bus_master))
		send_latched(port);
}

bool ontb_port_vector_pending(const struct ontb_port *port, unsigned int vector)
{
	if (vector >= port->nr_vectors)
		return false;
	if (atomic_load_explicit(&port->latched_vectors, memory_order_relaxed) & 1ULL << vector)
		return true;
	return port->host_ops && port->host_ops->vector_pending(port->host, vector);
}

static void describe(struct ontb_func *func, struct ontb_func_info *info)
{
	const struct ontb_port *port = to_port(func);

	*info = (struct ontb_func_info){ .config_size = ONTB_CONFIG_SIZE, .nr_vectors = port->nr_vectors };
	memcpy(info->bars, port->bar_info, sizeof(info->bars));
}

static void enter(struct ontb_func *func)
{
	struct ontb_port *port = to_port(func);

	ontb_brlock_read_lock(&port->bridge->brlock, port->idx);
}

static void leave(struct ontb_func *func)
{
	struct ontb_port *port = to_port(func);

	ontb_brlock_read_unlock(&port->bridge->brlock, port->idx);
}

static void exclusive(struct ontb_func *func, void (*fn)(void *arg), void *arg)
{
	struct ontb_port *port = to_port(func);

	ontb_brlock_write_lock(&port->bridge->brlock);
	fn(arg);
	ontb_brlock_write_unlock(&port->bridge->brlock);
}

void ontb_port_exclusive(struct ontb_port *port, void (*fn)(void *arg), void *arg)
{
	leave(&port->func);
	exclusive(&port->func, fn, arg);
	enter(&port->func);
}

/**
 * struct attach_args - what attach_exclusive() needs
 * @port: Port.
 * @ops:  Host operations.
 * @host: For @ops.
 * @ret:  OUT, result.
 */
struct attach_args {
	struct ontb_port *port;
	const struct ontb_host_ops *ops;
	void *host;
	int ret;
};

/* What config space says becomes what the accesses look at. */
static void update_gates(struct ontb_port *port)
{
	bool bus_master = ontb_config_bus_master(&port->config);

	atomic_store(&port->memory_enabled, ontb_config_memory_enabled(&port->config));
	if (atomic_exchange(&port->bus_master, bus_master) == bus_master)
		return;
	if (bus_master)
		send_latched(port);
}

static void reset_function(struct ontb_port *port)
{
	ontb_config_reset(&port->config);
	update_gates(port);
	atomic_store(&port->latched_vectors, 0);
	if (port->host_ops)
		port->host_ops->clear_vectors(port->host);
	ontb_guard_reset(&port->guard);
	ontb_link_lost(port);
}

static void attach_exclusive(void *arg)
{
	struct attach_args *args = arg;
	struct ontb_port *port = args->port;

	if (ontb_port_is_attached(port)) {
		args->ret = -EBUSY;
		return;
	}
	port->host_ops = args->ops;
	port->host = args->host;
	port->bridge->model->host_changed(port);
	args->ret = 0;
}

static void detach_exclusive(void *arg)
{
	struct ontb_port *port = arg;

	if (!ontb_port_is_attached(port))
		return;
	reset_function(port);
	port->host_ops = NULL;
	port->host = NULL;
	port->bridge->model->host_changed(port);
}

static void reset_exclusive(void *arg)
{
	reset_function(arg);
}

static int attach(struct ontb_func *func, const struct ontb_host_ops *ops, void *host)
{
	struct attach_args args = { .port = to_port(func), .ops = ops, .host = host };

	exclusive(func, attach_exclusive, &args);
	return args.ret;
}

static void detach(struct ontb_func *func)
{
	exclusive(func, detach_exclusive, to_port(func));
}

static void reset(struct ontb_func *func)
{
	exclusive(func, reset_exclusive, to_port(func));
}

static void trace_access(const struct ontb_port *port, const char *category, const char *verb, const char *name,
			 const void *buf, size_t len)
{
	struct ontb_trace_event event = {
		.category = category,
		.name = name,
		.port_idx = port->idx,
		.args = { { .key = "op", .text = verb }, { .key = "len", .num = len } },
	};

	ontb_trace_set_value(&event.args[2], buf, len);
	ontb_trace_emit(port->bridge->trace, &event);
}

static void trace_register(const struct ontb_port *port, const char *verb, uint64_t offset, const void *buf, size_t len)
{
	char name[64];

	(void)port->bridge->model->reg_name(offset, name, sizeof(name));
	trace_access(port, "register", verb, name, buf, len);
}

static void trace_config(const struct ontb_port *port, const char *verb, uint64_t offset, const void *buf, size_t len)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "config+0x%" PRIx64, offset);
	trace_access(port, "config", verb, name, buf, len);
}

static int config_read(struct ontb_func *func, uint64_t offset, void *buf, size_t len)
{
	struct ontb_port *port = to_port(func);
	int ret = ontb_config_read(&port->config, offset, buf, len);

	if (ontb_unlikely(!ret && port->bridge->trace))
		trace_config(port, "read", offset, buf, len);
	return ret;
}

static int config_write(struct ontb_func *func, uint64_t offset, const void *buf, size_t len)
{
	struct ontb_port *port = to_port(func);
	int ret = ontb_config_write(&port->config, offset, buf, len);

	if (ret)
		return ret;
	if (ontb_unlikely(port->bridge->trace))
		trace_config(port, "write", offset, buf, len);
	update_gates(port);
	return 0;
}

/* With memory decoding off nothing answers: PCIe 5.0, 7.5.1.1.3 "Command Register". */
static bool is_decoding(struct ontb_port *port, const char *verb, unsigned int bar, uint64_t offset)
{
	if (ontb_likely(atomic_load_explicit(&port->memory_enabled, memory_order_relaxed)))
		return true;
	ontb_count(&port->counters.unsupported, 1);
	ontb_port_fault(port, "%s at BAR%u offset 0x%" PRIx64 ": memory decoding is off", verb, bar, offset);
	return false;
}

static int bar_read(struct ontb_func *func, unsigned int bar, uint64_t offset, struct ontb_read *read)
{
	struct ontb_port *port = to_port(func);

	if (bar >= ONTB_NR_BARS || !ontb_range_fits(offset, read->len, port->bars[bar].size))
		return -ERANGE;
	if (!is_decoding(port, "read", bar, offset)) {
		memset(read->buf, 0xff, read->len);
		return 0;
	}
	if (!port->bars[bar].is_registers)
		return ontb_window_read(port, bar, offset, read);
	ontb_count(&port->counters.reg_reads, 1);
	port->bridge->model->reg_read(port, offset, read->buf, read->len);
	if (ontb_unlikely(port->bridge->trace))
		trace_register(port, "read", offset, read->buf, read->len);
	return 0;
}

static int bar_write(struct ontb_func *func, unsigned int bar, uint64_t offset, const void *buf, size_t len)
{
	struct ontb_port *port = to_port(func);

	if (bar >= ONTB_NR_BARS || !ontb_range_fits(offset, len, port->bars[bar].size))
		return -ERANGE;
	if (!is_decoding(port, "write", bar, offset))
		return 0;
	if (!port->bars[bar].is_registers) {
		ontb_window_write(port, bar, offset, buf, len);
		return 0;
	}
	ontb_count(&port->counters.reg_writes, 1);
	if (ontb_unlikely(port->bridge->trace))
		trace_register(port, "write", offset, buf, len);
	port->bridge->model->reg_write(port, offset, buf, len);
	return 0;
}

static const struct ontb_func_ops port_func_ops = {
	.describe = describe,
	.enter = enter,
	.leave = leave,
	.exclusive = exclusive,
	.attach = attach,
	.detach = detach,
	.reset = reset,
	.config_read = config_read,
	.config_write = config_write,
	.bar_read = bar_read,
	.bar_write = bar_write,
};

void ontb_port_init(struct ontb_port *port, struct ontb_bridge *bridge, unsigned int idx, unsigned int peer_idx,
		    const struct ontb_port_config *config)
{
	port->func.ops = &port_func_ops;
	port->bridge = bridge;
	port->idx = idx;
	port->peer_idx = peer_idx;
	port->nr_vectors = config->msix.nr_vectors;
	memcpy(port->bar_info, config->bars, sizeof(port->bar_info));
	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		port->bars[b].size = config->bars[b].size;
		port->bars[b].is_registers = b == config->reg_bar;
	}
	ontb_config_init(&port->config, &config->ids, config->bars, &config->msix);
	ontb_doorbell_init(&port->doorbell);
	ontb_lock_init(&port->error_lock);
}

void ontb_port_fini(struct ontb_port *port)
{
	if (!port->func.ops)
		return;
	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		for (unsigned int a = 0; a < port->bars[b].nr_apertures; a++)
			ontb_aperture_fini(&port->bars[b].apertures[a]);
	}
	ontb_guard_fini(&port->guard);
	ontb_lock_fini(&port->error_lock);
	ontb_doorbell_fini(&port->doorbell);
}
