/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A set of a host's CPUs. A plain value: copy it, compare it, keep it in a structure.
 */
#ifndef OPENNTB_CPUMASK_H
#define OPENNTB_CPUMASK_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CPUs that a host can have; CPU numbers are 0..ONTB_MAX_CPUS - 1. */
#define ONTB_MAX_CPUS 256U

/**
 * struct ontb_cpumask - a set of CPUs
 * @bits: Bit n % 64 of word n / 64 is CPU n.
 */
struct ontb_cpumask {
	uint64_t bits[ONTB_MAX_CPUS / 64];
};

/**
 * ontb_cpumask_set() - put a CPU into a set
 * @mask: Set.
 * @cpu:  CPU, below ONTB_MAX_CPUS.
 */
static inline void ontb_cpumask_set(struct ontb_cpumask *mask, unsigned int cpu)
{
	mask->bits[cpu / 64] |= 1ULL << cpu % 64;
}

/**
 * ontb_cpumask_clear() - take a CPU out of a set
 * @mask: Set.
 * @cpu:  CPU, below ONTB_MAX_CPUS.
 */
static inline void ontb_cpumask_clear(struct ontb_cpumask *mask, unsigned int cpu)
{
	mask->bits[cpu / 64] &= ~(1ULL << cpu % 64);
}

/**
 * ontb_cpumask_test() - whether a CPU is in a set
 * @mask: Set.
 * @cpu:  Any number.
 *
 * Return: True if it is.
 */
static inline bool ontb_cpumask_test(const struct ontb_cpumask *mask, unsigned int cpu)
{
	return cpu < ONTB_MAX_CPUS && mask->bits[cpu / 64] >> cpu % 64 & 1;
}

/**
 * ontb_cpumask_next() - walk over a set
 * @mask: Set.
 * @cpu:  CPU to start at.
 *
 * Return: First CPU of the set from @cpu on, or ONTB_MAX_CPUS if there is none.
 */
static inline unsigned int ontb_cpumask_next(const struct ontb_cpumask *mask, unsigned int cpu)
{
	for (; cpu < ONTB_MAX_CPUS; cpu = (cpu / 64 + 1) * 64) {
		uint64_t rest = mask->bits[cpu / 64] >> cpu % 64;

		if (rest)
			return cpu + (unsigned int)__builtin_ctzll(rest);
	}
	return ONTB_MAX_CPUS;
}

/**
 * ontb_cpumask_is_empty() - whether a set has no CPU
 * @mask: Set.
 *
 * Return: True if it has none.
 */
static inline bool ontb_cpumask_is_empty(const struct ontb_cpumask *mask)
{
	return ontb_cpumask_next(mask, 0) == ONTB_MAX_CPUS;
}

/**
 * ontb_cpumask_count() - size of a set
 * @mask: Set.
 *
 * Return: CPUs in it.
 */
static inline unsigned int ontb_cpumask_count(const struct ontb_cpumask *mask)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < ONTB_MAX_CPUS / 64; i++)
		count += (unsigned int)__builtin_popcountll(mask->bits[i]);
	return count;
}

/**
 * ontb_cpumask_and() - what two sets have in common
 * @a: Set.
 * @b: Set.
 *
 * Return: CPUs that are in both.
 */
static inline struct ontb_cpumask ontb_cpumask_and(const struct ontb_cpumask *a, const struct ontb_cpumask *b)
{
	struct ontb_cpumask both;

	for (unsigned int i = 0; i < ONTB_MAX_CPUS / 64; i++)
		both.bits[i] = a->bits[i] & b->bits[i];
	return both;
}

/**
 * ontb_cpumask_of() - the set of one CPU
 * @cpu: CPU, below ONTB_MAX_CPUS.
 *
 * Return: The set.
 */
static inline struct ontb_cpumask ontb_cpumask_of(unsigned int cpu)
{
	struct ontb_cpumask mask = { { 0 } };

	ontb_cpumask_set(&mask, cpu);
	return mask;
}

/**
 * ontb_cpumask_all() - the first CPUs
 * @nr_cpus: How many, up to ONTB_MAX_CPUS.
 *
 * Return: The CPUs 0..nr_cpus - 1.
 */
static inline struct ontb_cpumask ontb_cpumask_all(unsigned int nr_cpus)
{
	struct ontb_cpumask mask = { { 0 } };

	for (unsigned int cpu = 0; cpu < nr_cpus && cpu < ONTB_MAX_CPUS; cpu++)
		ontb_cpumask_set(&mask, cpu);
	return mask;
}

#ifdef __cplusplus
}
#endif

#endif
