// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A peer that says anything at all, in any order, against a slow and obvious model of the grant protocol.
 *
 * Host 0 is real: its interrupts, its worker, its window. Host 1 is a bare channel that the input drives: it confirms what it
 * was told, or something else, grants, revokes, lies, starts anew, writes control words past all rules; and the input decides
 * what host 0 does meanwhile. The model keeps, from what was said on the wire alone:
 *
 *   - as owner: which messages host 1 may still hold. Each of them must still raise the interrupt it was made for.
 *   - as holder: what host 0 may store. A trigger must store exactly that, or nothing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openntb/log.h>

#include "../unit/ntb/mock_ntb.h"
#include "input.h"
#include "ntb/irq/channel.h"

#define NR_IRQS	   4U
#define MAX_HELD   16U
#define LAST	   (MOCK_NR_WINDOWS - 1)
#define PEER_IRQS  5U
#define MAX_STEPS  400U
#define NR_GUESSES 32U

#define must(cond, what) check(cond, what, __FILE__, __LINE__)

/**
 * struct told - what host 1 was told of an interrupt of host 0 in this epoch
 * @virq:    Interrupt that it was at that moment.
 * @nr:      Messages that it may hold.
 * @msgs:    Which; the last one is the latest.
 * @gen:     Latest generation.
 * @is_revoked: The latest word was REVOKE.
 * @guesses: Generations that were confirmed before they were said.
 * @nr_guesses: How many.
 */
struct told {
	unsigned int virq;
	unsigned int nr;
	struct ontb_msi_msg msgs[MAX_HELD];
	uint32_t gen;
	bool is_revoked;
	uint32_t guesses[NR_GUESSES];
	unsigned int nr_guesses;
};

/**
 * struct model - what follows from the words on the wire
 * @told:       By index of host 0.
 * @nr_opens:   How often host 0 had opened its window when the epoch began.
 * @has_gen:    By index of host 1: something was said.
 * @gen:        Latest generation.
 * @is_granted: The latest word was a GRANT.
 * @msg:        Its message.
 * @said_hello: Host 1 has.
 * @nr_irqs:    What it said.
 * @window:     Likewise.
 */
struct model {
	struct told told[NR_IRQS];
	unsigned int nr_opens;
	bool has_gen[PEER_IRQS];
	uint32_t gen[PEER_IRQS];
	bool is_granted[PEER_IRQS];
	struct ontb_msi_msg msg[PEER_IRQS];
	bool said_hello;
	unsigned int nr_irqs;
	unsigned int window;
};

/**
 * struct rig - everything
 * @net:   Two hosts.
 * @irqs:  Interrupts of host 0.
 * @maps:  Own interrupts, virq 0 if not allocated.
 * @ch:    Channel of host 1.
 * @model: Model.
 * @is_wild: Control words were written past the rules: what host 1 says is not the model's business until it starts anew.
 */
static struct rig {
	struct mock_net *net;
	struct ontb_ntb_irqs *irqs;
	struct ontb_msi_map maps[NR_IRQS];
	struct ontb_channel ch;
	struct model model;
	bool is_wild;
} rig;

static uint32_t next_nonce(struct ontb_channel *ch)
{
	static uint32_t nonce;

	(void)ch;
	return ++nonce;
}

static void ignore_line(void *arg, enum ontb_log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

/* The model */

static void new_epoch(void)
{
	struct model *model = &rig.model;

	memset(model, 0, sizeof(*model));
	model->nr_opens = rig.net->hosts[0].sides[0].nr_opens;
}

/* Host 0 has closed its window since: nothing that was told counts any more. */
static bool is_over(void)
{
	const struct mock_side *side = &rig.net->hosts[0].sides[0];

	return !side->windows[LAST].size || side->nr_opens > rig.model.nr_opens + 1;
}

static void keep_latest(struct told *told)
{
	if (told->is_revoked || !told->nr) {
		told->nr = 0;
		return;
	}
	told->msgs[0] = told->msgs[told->nr - 1];
	told->nr = 1;
}

static void host_said(const struct ontb_grant_msg *msg)
{
	struct told *told;

	if (msg->type != ONTB_GRANT_GRANT && msg->type != ONTB_GRANT_REVOKE)
		return;
	must(msg->index < NR_IRQS, "an index of host 0");
	told = &rig.model.told[msg->index];
	told->gen = msg->gen;
	told->is_revoked = msg->type == ONTB_GRANT_REVOKE;
	if (msg->type == ONTB_GRANT_GRANT) {
		must(rig.net->hosts[0].sides[0].windows[LAST].size, "the window is open before a grant");
		if (told->nr == MAX_HELD) {
			memmove(told->msgs, told->msgs + 1, sizeof(told->msgs[0]) * (MAX_HELD - 1));
			told->nr--;
		}
		/* Only what is alive now can be told; that it stays alive is what is checked. */
		told->virq = rig.maps[msg->index].virq;
		told->msgs[told->nr++] = (struct ontb_msi_msg){ MOCK_MSI_FIRST + msg->offset, msg->data };
	}
	for (unsigned int i = 0; i < told->nr_guesses; i++) {
		if (told->guesses[i] == msg->gen)
			keep_latest(told);
	}
}

static void listen_to_host(void)
{
	uint8_t buf[ONTB_GRANT_MSG_SIZE];
	struct ontb_grant_msg msg;

	for (unsigned int i = 0; i < 8; i++) {
		uint32_t known = rig.ch.peer_nonce;
		enum ontb_channel_event event = ontb_channel_poll(&rig.ch);

		if (event == ONTB_CHANNEL_RESET || known != rig.ch.peer_nonce)
			new_epoch();
		if (event == ONTB_CHANNEL_NOTHING)
			break;
	}
	while (ontb_channel_peek(&rig.ch, buf)) {
		if (!ontb_grant_decode(buf, &msg))
			host_said(&msg);
		else
			must(false, "host 0 says what can be understood");
		ontb_channel_take(&rig.ch);
	}
}

static void peer_confirmed(const struct ontb_grant_msg *msg)
{
	struct told *told;

	if (msg->index >= NR_IRQS)
		return;
	told = &rig.model.told[msg->index];
	if (told->nr_guesses < NR_GUESSES)
		told->guesses[told->nr_guesses++] = msg->gen;
	if (msg->gen == told->gen)
		keep_latest(told);
}

static void peer_granted(const struct ontb_grant_msg *msg)
{
	struct model *model = &rig.model;
	unsigned int i = msg->index;

	if (!model->said_hello || i >= model->nr_irqs || i >= PEER_IRQS)
		return;
	if (model->has_gen[i] && !ontb_grant_is_newer(msg->gen, model->gen[i]))
		return;
	if (msg->type == ONTB_GRANT_GRANT && (msg->offset & 3 || msg->offset > MOCK_WINDOW_SIZE - 4))
		return;
	model->has_gen[i] = true;
	model->gen[i] = msg->gen;
	model->is_granted[i] = msg->type == ONTB_GRANT_GRANT;
	model->msg[i] = (struct ontb_msi_msg){ msg->offset, msg->data };
}

/* Host 1 says something that is well-formed or not. */
static void say(struct ontb_grant_msg msg)
{
	uint8_t buf[ONTB_GRANT_MSG_SIZE];
	struct ontb_grant_msg parsed;

	listen_to_host();
	if (!ontb_channel_can_send(&rig.ch))
		return;
	ontb_channel_send(&rig.ch, &msg);
	ontb_channel_flush(&rig.ch);
	ontb_grant_encode(&msg, buf);
	if (ontb_grant_decode(buf, &parsed))
		return;
	switch (parsed.type) {
	case ONTB_GRANT_HELLO:
		if (rig.model.said_hello || parsed.data >= MOCK_NR_WINDOWS)
			break;
		rig.model.said_hello = true;
		rig.model.nr_irqs = parsed.gen;
		rig.model.window = parsed.data;
		break;
	case ONTB_GRANT_GRANT:
	case ONTB_GRANT_REVOKE:
		peer_granted(&parsed);
		break;
	default:
		peer_confirmed(&parsed);
	}
}

/* What must hold after every step. */
static void check_owner(void)
{
	listen_to_host();
	if (is_over())
		return;
	for (unsigned int i = 0; i < NR_IRQS; i++) {
		const struct told *told = &rig.model.told[i];

		for (unsigned int n = 0; n < told->nr; n++) {
			unsigned int cpu = (unsigned int)(told->msgs[n].addr - MOCK_MSI_FIRST) >> 12;

			must(cpu < MOCK_NR_CPUS && told->msgs[n].data < MOCK_NR_VECTORS, "a message of the root");
			must(rig.net->hosts[0].vectors[cpu][told->msgs[n].data].virq == told->virq,
			     "what the peer may hold raises what it was made for");
		}
	}
}

static void step(void)
{
	(void)ontb_worker_pool_step(rig.net->hosts[0].pool);
	check_owner();
}

/* When nothing is left to do, host 0 holds exactly what the model says. */
static void check_holder(void)
{
	struct mock_host *host = &rig.net->hosts[1];

	for (unsigned int i = 0; i < MAX_STEPS; i++) {
		step();
		ontb_channel_flush(&rig.ch);
	}
	/* A session that has ended holds nothing. */
	if (rig.is_wild || !rig.net->hosts[0].sides[0].windows[LAST].size || !rig.ch.is_connected ||
	    !rig.model.said_hello || !ontb_channel_is_idle(&rig.ch))
		return;
	for (unsigned int i = 0; i < PEER_IRQS; i++) {
		bool is_granted = rig.model.is_granted[i];
		uint64_t offset = rig.model.msg[i].addr;
		unsigned int cpu = (unsigned int)(offset >> 12), data = rig.model.msg[i].data, before;

		if (i >= rig.model.nr_irqs)
			is_granted = false;
		must(ontb_ntb_irq_is_granted(rig.irqs, 0, i) == is_granted, "host 0 holds what it was granted");
		if (!is_granted || cpu >= MOCK_NR_CPUS || data >= MOCK_NR_VECTORS || rig.model.window != LAST)
			continue;
		before = host->vectors[cpu][data].nr;
		must(!ontb_ntb_irq_trigger(rig.irqs, 0, i), "it can raise it");
		must(host->vectors[cpu][data].nr == before + 1, "with the latest message");
	}
}

/* What the input can do */

static void own_call(struct input *in)
{
	unsigned int what = take(in), i = what >> 4 & (NR_IRQS - 1);
	struct ontb_cpumask cpu = ontb_cpumask_of(what >> 6);

	switch (what & 7) {
	case 0:
	case 1:
		(void)ontb_ntb_irq_grant(rig.irqs, i, 0);
		break;
	case 2:
		(void)ontb_ntb_irq_revoke(rig.irqs, i, 0);
		break;
	case 3:
	case 4:
		if (rig.maps[i].virq)
			(void)ontb_irq_set_affinity(rig.net->hosts[0].sys, rig.maps[i].virq, &cpu);
		break;
	case 5:
		if (!ontb_ntb_irq_free(rig.irqs, i))
			rig.maps[i].virq = 0;
		break;
	case 6: {
		struct ontb_msi_map map;

		if (!ontb_ntb_irq_alloc(rig.irqs, i, &cpu, &map))
			rig.maps[i] = map;
		break;
	}
	default:
		(void)ontb_ntb_irq_trigger(rig.irqs, 0, what >> 4);
	}
}

static void confirm(struct input *in)
{
	unsigned int i = take(in);
	const struct told *told = &rig.model.told[i & (NR_IRQS - 1)];

	listen_to_host();
	say((struct ontb_grant_msg){ .type = told->is_revoked ? ONTB_GRANT_REVOKE_ACK : ONTB_GRANT_GRANT_ACK,
				     .index = (uint16_t)(i & (NR_IRQS - 1)),
				     .gen = told->gen - (i >> 6) });
}

static void say_anything(struct input *in)
{
	struct ontb_grant_msg msg = { .type = (enum ontb_grant_type)(take(in) % 7) };
	uint8_t how = take(in);

	msg.index = how & 7;
	if (how & 8)
		msg.index = (uint16_t)(msg.index * 9362);
	msg.gen = take(in);
	if (how & 16)
		msg.gen = msg.gen << 24 | take(in);
	if (msg.type == ONTB_GRANT_GRANT || how & 32) {
		msg.offset = take(in) * 0x400ULL;
		msg.data = take(in);
	}
	if (how & 64)
		msg.offset = msg.offset << 13 | (how >> 5);
	say(msg);
}

static void write_past_the_rules(struct input *in)
{
	unsigned int word = take(in) % 32;
	uint32_t value = take(in);

	if (value & 0x80)
		value = value << 24 | value;
	memcpy(rig.net->hosts[0].sides[0].page + 4 * (word < 4 ? word : 12 + word), &value, 4);
	rig.is_wild = true;
	ontb_ntb_peer_db_set(rig.net->hosts[1].ntb, 0, rig.ch.db_bit);
}

static void start_peer(void)
{
	ontb_channel_start(&rig.ch);
	ontb_channel_flush(&rig.ch);
	new_epoch();
	rig.is_wild = false;
}

static void set_up(void)
{
	struct ontb_ntb_irqs_config config;

	ontb_log_set_sink(ignore_line, NULL);
	rig.net = mock_net_new(2, MOCK_STEPPED | MOCK_PAGES | MOCK_DOORBELLS);
	ontb_ntb_irqs_config_init(&config);
	config.nr_irqs = NR_IRQS;
	config.trust_peers = true;
	/* Stepping until nothing is left lets time pass: with a time-out the peer would be cut off most of the time. */
	config.ack_timeout_ns = 0;
	must(!ontb_ntb_irqs_new(rig.net->hosts[0].ntb, &config, &rig.irqs), "interrupts");
	must(!ontb_ntb_link_enable(rig.net->hosts[1].ntb), "link");
	must(!ontb_ntb_window_open(rig.net->hosts[1].ntb, 0, LAST, MOCK_MSI_FIRST, MOCK_WINDOW_SIZE), "window");
	ontb_channel_init(&rig.ch, rig.net->hosts[1].ntb, 0, ONTB_NTB_CHANNEL_PAGE, next_nonce);
}

/* Every input begins with a link that comes up, all interrupts allocated, and a peer that has said hello. */
static void begin(void)
{
	mock_set_link(rig.net, 0, 1, false);
	for (unsigned int i = 0; i < 8; i++)
		(void)ontb_worker_pool_step(rig.net->hosts[0].pool);
	mock_set_link(rig.net, 0, 1, true);
	start_peer();
	for (unsigned int i = 0; i < 20; i++)
		step();
	for (unsigned int i = 0; i < NR_IRQS; i++) {
		if (!rig.maps[i].virq)
			must(!ontb_ntb_irq_alloc(rig.irqs, i, NULL, &rig.maps[i]), "an interrupt is free");
	}
	say((struct ontb_grant_msg){ .type = ONTB_GRANT_HELLO, .gen = PEER_IRQS, .data = LAST });
	for (unsigned int i = 0; i < 100 && !rig.net->hosts[0].sides[0].windows[LAST].size; i++)
		step();
	must(rig.net->hosts[0].sides[0].windows[LAST].size, "the link is up");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (!rig.net)
		set_up();
	begin();
	while (in.left) {
		uint8_t what = take(&in);

		switch (what & 7) {
		case 0:
		case 1:
			own_call(&in);
			break;
		case 2:
			confirm(&in);
			break;
		case 3:
			say_anything(&in);
			break;
		case 4:
			if (what >> 3 == 0)
				write_past_the_rules(&in);
			else if (what >> 3 == 1)
				start_peer();
			else if (what >> 3 == 2)
				mock_set_link(rig.net, 0, 1, what & 1);
			else if (what >> 3 == 3)
				say((struct ontb_grant_msg){
					.type = ONTB_GRANT_HELLO, .gen = PEER_IRQS, .data = LAST });
			break;
		case 5:
			ontb_channel_flush(&rig.ch);
			break;
		default:
			for (unsigned int i = 0; i <= what >> 3; i++)
				step();
		}
		check_owner();
	}
	check_holder();
	return 0;
}
