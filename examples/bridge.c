// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Interrupts across a bridge: host "a" owns an interrupt and grants it; host "b" raises it with a store into its window.
 *
 *     cc -o bridge bridge.c $(pkg-config --cflags --libs openntb)
 */
#include <err.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

#include <openntb/error.h>
#include <openntb/fabric.h>
#include <openntb/host.h>
#include <openntb/ntb_irq.h>

#define LIMIT_S 10

static sem_t linked, granted, arrived;

static void must(int ret, const char *what)
{
	if (ret)
		errx(1, "%s: %s", what, ontb_strerror(ret));
}

static void wait_for(sem_t *sem, const char *what)
{
	const struct timespec end = { .tv_sec = time(NULL) + LIMIT_S };

	if (sem_timedwait(sem, &end))
		err(1, "%s", what);
}

/* An event of host a: now it can grant. And one of host b: now it can raise. "client" is the name of the host. */
static void on_link(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, bool is_up)
{
	(void)irqs;
	printf("%s: peer %u is %s\n", (const char *)client, peer, is_up ? "there" : "gone");
	(void)sem_post(&linked);
}

static void on_grant(void *client, struct ontb_ntb_irqs *irqs, unsigned int peer, unsigned int index)
{
	(void)irqs;
	printf("%s: may raise interrupt %u of peer %u\n", (const char *)client, index, peer);
	(void)sem_post(&granted);
}

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	printf("%s: interrupt %u\n", (const char *)dev, virq);
	(void)sem_post(&arrived);
	return ONTB_IRQ_HANDLED;
}

int main(void)
{
	const struct ontb_fabric_config machines = { .topology =
							     "host a remap=on; host b remap=on; bridge switchtec a b" };
	static const struct ontb_ntb_irq_events events[2] = { { .link = on_link }, { .granted = on_grant } };
	static char names[2][2] = { "a", "b" };
	const struct ontb_irq_request request = { .handler = handle, .dev = names[0], .name = "example" };
	struct ontb_host_config boot = { .max_irqs = 1024, .use_remapping = true };
	struct ontb_ntb_irqs_config config;
	struct ontb_ntb_irqs *irqs[2];
	struct ontb_host *hosts[2];
	struct ontb_fabric *fabric;
	struct ontb_msi_map map;

	(void)(sem_init(&linked, 0, 0) || sem_init(&granted, 0, 0) || sem_init(&arrived, 0, 0));
	must(ontb_fabric_new(&machines, NULL, 0, &fabric), "machines");
	ontb_ntb_irqs_config_init(&config);
	for (unsigned int i = 0; i < 2; i++) {
		boot.machine = ontb_fabric_machine(fabric, i);
		must(ontb_host_boot(&boot, &hosts[i]), "host");
		config.events = &events[i];
		config.client = names[i];
		must(ontb_ntb_irqs_new(ontb_host_ntb(hosts[i], 0), &config, &irqs[i]), "interrupts of the bridge");
	}
	wait_for(&linked, "link");
	must(ontb_ntb_irq_alloc(irqs[0], ONTB_MSI_ANY_INDEX, NULL, &map), "interrupt");
	must(ontb_irq_request(ontb_host_irqs(hosts[0]), map.virq, &request), "handler");
	must(ontb_ntb_irq_grant(irqs[0], map.index, 0), "grant");
	wait_for(&granted, "grant");
	for (unsigned int i = 0; i < 5; i++) {
		must(ontb_ntb_irq_trigger(irqs[1], 0, map.index), "trigger");
		wait_for(&arrived, "interrupt");
	}
	must(ontb_ntb_irq_revoke(irqs[0], map.index, 0), "revoke"); /* b confirms before the index can be used again */
	must(ontb_ntb_irq_settle(irqs[0], map.index, LIMIT_S * 1000000000ULL), "settle");
	must(ontb_irq_free(ontb_host_irqs(hosts[0]), map.virq, names[0]), "free");
	ontb_ntb_irqs_free(irqs[0]);
	ontb_ntb_irqs_free(irqs[1]);
	ontb_host_shutdown(hosts[0]);
	ontb_host_shutdown(hosts[1]);
	ontb_fabric_free(fabric);
	return 0;
}
