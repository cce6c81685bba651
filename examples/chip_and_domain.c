// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * An interrupt controller of one's own: eight lines, a chip that operates them, a domain that numbers them, and a handler.
 *
 *     cc -o chip_and_domain chip_and_domain.c $(pkg-config --cflags --libs openntb)
 */
#include <err.h>
#include <stdio.h>

#include <openntb/error.h>
#include <openntb/irq.h>

#define NR_LINES 8U
#define LINE	 3U

/* The controller's registers: lines that were raised and not taken yet, lines that may interrupt. */
static uint32_t raised, enabled;

/* The chip: what the library does with a line. Its number in the domain is data->hwirq. */
static void ack(struct ontb_irq_data *data)
{
	raised &= ~(1U << data->hwirq);
}

static void mask(struct ontb_irq_data *data)
{
	enabled &= ~(1U << data->hwirq);
}

static void unmask(struct ontb_irq_data *data)
{
	enabled |= 1U << data->hwirq;
}

static const struct ontb_irq_chip chip = { .name = "lines", .ack = ack, .mask = mask, .unmask = unmask };

/* The domain: which line a new interrupt is. The argument comes from ontb_irq_domain_alloc(). */
static int alloc(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	ontb_irq_domain_set_flow(domain, virq, ONTB_IRQ_EDGE);
	return nr == 1 ? ontb_irq_domain_set_info(domain, virq, *(unsigned int *)arg, &chip, NULL) : -EINVAL;
}

static void release(struct ontb_irq_domain *domain, unsigned int virq, unsigned int nr)
{
	printf("%s: interrupt %u given back (%u)\n", ontb_irq_domain_name(domain), virq, nr);
}

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	printf("interrupt %u, CPU %u\n", virq, ontb_irq_this_cpu());
	++*(unsigned int *)dev;
	return ONTB_IRQ_HANDLED;
}

/* A line is raised, and CPU 0 takes the interrupts that there are. */
static void raise_line(struct ontb_irq_domain *domain, unsigned int line)
{
	raised |= 1U << line;
	ontb_irq_cpu_enter(ontb_irq_domain_system(domain), 0);
	for (unsigned int i = 0; i < NR_LINES; i++) {
		if (raised & enabled & 1U << i)
			(void)ontb_irq_dispatch(domain, i);
	}
	ontb_irq_cpu_leave(ontb_irq_domain_system(domain));
}

static int must(int ret, const char *what)
{
	if (ret < 0)
		errx(1, "%s: %s", what, ontb_strerror(ret));
	return ret;
}

int main(void)
{
	static const struct ontb_irq_domain_ops ops = { .alloc = alloc, .free = release };
	const struct ontb_irq_system_config board = { .name = "board", .nr_cpus = 1, .max_irqs = 64 };
	const struct ontb_irq_domain_config config = { .name = "LINES", .size = NR_LINES, .ops = &ops };
	unsigned int virq, line = LINE, count = 0;
	const struct ontb_irq_request request = { .handler = handle, .dev = &count, .name = "example" };
	struct ontb_irq_system *sys;
	struct ontb_irq_domain *domain;

	must(ontb_irq_system_new(&board, &sys), "system");
	must(ontb_irq_domain_new(sys, &config, &domain), "domain");
	virq = (unsigned int)must(ontb_irq_domain_alloc(domain, 1, NULL, &line), "interrupt");
	must(ontb_irq_request(sys, virq, &request), "handler");
	raise_line(domain, LINE);
	must(ontb_irq_disable(sys, virq), "disable");
	raise_line(domain, LINE); /* kept, not lost */
	printf("disabled: %u handled\n", count);
	must(ontb_irq_enable(sys, virq), "enable");
	must(ontb_irq_free(sys, virq, &count), "free");
	must(ontb_irq_domain_release(domain, virq, 1), "release");
	must(ontb_irq_domain_free(domain), "free domain");
	ontb_irq_system_free(sys);
	return count != 2;
}
