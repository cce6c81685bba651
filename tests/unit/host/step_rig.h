/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Hosts of a stepped fabric: nothing happens but what a test lets happen, so a run can be repeated exactly.
 */
#ifndef TESTS_UNIT_HOST_STEP_RIG_H
#define TESTS_UNIT_HOST_STEP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include <openntb/fabric.h>
#include <openntb/host.h>
#include <openntb/ntb_irq.h>
#include <openntb/worker.h>

#define STEP_MAX_HOSTS 4U

/**
 * struct step_rig - a stepped fabric and the software of its hosts
 * @fabric: Fabric.
 * @random: State of the test's own choices.
 * @hosts:  Booted hosts; NULL if it is not booted.
 */
struct step_rig {
	struct ontb_fabric *fabric;
	uint64_t random;
	struct ontb_host *hosts[STEP_MAX_HOSTS];
};

/* Build @topology; no host is booted. */
void step_open(struct step_rig *rig, const char *topology, uint64_t seed);
/* Shut down what is booted and take all apart. */
void step_close(struct step_rig *rig);
/* How step_boot() boots host @h. */
struct ontb_host_config step_config(struct step_rig *rig, unsigned int h);
/* Boot host @h, with remapping if its machine has it. */
void step_boot(struct step_rig *rig, unsigned int h);

/* A number below @limit, chosen by the seed. */
uint64_t step_below(struct step_rig *rig, uint64_t limit);
/* Let one thing happen: in the fabric, or a worker of a host; which is chosen by the seed. False if there was nothing. */
bool step_once(struct step_rig *rig);
/* Let things happen until there is nothing more to do. */
void step_until_idle(struct step_rig *rig);

#endif
