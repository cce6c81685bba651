/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A histogram of durations: exact up to 63 ns, then 32 buckets per power of two, so a percentile is right to 3 percent.
 */
#ifndef ONTB_BENCH_HISTOGRAM_H
#define ONTB_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_BUCKETS  ((64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/**
 * struct histogram - a histogram
 * @total:  Values.
 * @max:    Largest.
 * @counts: Values by bucket.
 */
struct histogram {
	uint64_t total;
	uint64_t max;
	uint32_t counts[HISTOGRAM_BUCKETS];
};

/**
 * histogram_add() - count a value
 * @histogram: Histogram.
 * @value:     Value.
 */
void histogram_add(struct histogram *histogram, uint64_t value);

/**
 * histogram_percentile() - the value that so many are not above
 * @histogram: Histogram.
 * @percent:   0 to 100.
 *
 * Return: Upper end of the bucket, 0 if there are no values.
 */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

#endif
