// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Stepping hosts.
 */
#include "step_rig.h"

#include <string.h>

/* Many times what any of the tests needs. */
#define MAX_STEPS 10000000U

void step_open(struct step_rig *rig, const char *topology, uint64_t seed)
{
	const struct ontb_fabric_config config = { .topology = topology, .is_stepped = true, .seed = seed };
	char why[160];

	memset(rig, 0, sizeof(*rig));
	rig->random = seed;
	if (ontb_fabric_new(&config, why, sizeof(why), &rig->fabric))
		fail_msg("%s", why);
	assert_in_range(ontb_fabric_nr_hosts(rig->fabric), 1, STEP_MAX_HOSTS);
}

void step_close(struct step_rig *rig)
{
	for (unsigned int h = 0; h < STEP_MAX_HOSTS; h++)
		ontb_host_shutdown(rig->hosts[h]);
	ontb_fabric_free(rig->fabric);
}

struct ontb_host_config step_config(struct step_rig *rig, unsigned int h)
{
	return (struct ontb_host_config){
		.machine = ontb_fabric_machine(rig->fabric, h),
		.max_irqs = 1000,
		.use_remapping = true,
		.seed = rig->random ^ h,
	};
}

void step_boot(struct step_rig *rig, unsigned int h)
{
	const struct ontb_host_config config = step_config(rig, h);

	assert_int_equal(ontb_host_boot(&config, &rig->hosts[h]), 0);
}

/* splitmix64 */
uint64_t step_below(struct step_rig *rig, uint64_t limit)
{
	uint64_t z = rig->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % limit;
}

static bool step_place(struct step_rig *rig, unsigned int place, unsigned int nr_hosts)
{
	if (place == nr_hosts)
		return ontb_fabric_step(rig->fabric);
	return rig->hosts[place] && ontb_worker_pool_step(ontb_host_workers(rig->hosts[place]));
}

bool step_once(struct step_rig *rig)
{
	unsigned int nr_hosts = ontb_fabric_nr_hosts(rig->fabric);
	unsigned int first = (unsigned int)step_below(rig, nr_hosts + 1);

	for (unsigned int i = 0; i <= nr_hosts; i++) {
		if (step_place(rig, (first + i) % (nr_hosts + 1), nr_hosts))
			return true;
	}
	return false;
}

void step_until_idle(struct step_rig *rig)
{
	for (unsigned int i = 0; i < MAX_STEPS; i++) {
		if (!step_once(rig))
			return;
	}
	fail_msg("it never ends");
}
