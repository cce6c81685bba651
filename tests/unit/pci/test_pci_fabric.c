// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * src/pci on a machine of the fabric, with the interrupt controllers of an x86 host: nothing here is made for the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include <openntb/exerciser.h>
#include <openntb/fabric.h>
#include <openntb/pages.h>
#include <openntb/pci.h>
#include <openntb/platform_x86.h>

#define NR_CPUS	   4U
#define DEADLINE_S 20

static struct ontb_fabric *fabric;
static struct ontb_irq_system *irqs;
static struct ontb_pages *pages;
static struct ontb_x86 *x86;
static struct ontb_pci_bus *bus;
static sem_t has_run;
static unsigned int expected;

static struct ontb_irq_domain *msi_parent(void *arg, uint16_t rid)
{
	(void)arg;
	(void)rid;
	return ontb_x86_msi_parent(x86);
}

static void boot(const char *topology, bool use_remapping)
{
	const struct ontb_fabric_config config = { .topology = topology };
	const struct ontb_irq_system_config system = { .name = "a", .nr_cpus = NR_CPUS, .max_irqs = 4096 };
	struct ontb_x86_config root = { .use_remapping = use_remapping };
	struct ontb_pci_config pci = { .nr_buses = 1, .msi_parent = msi_parent };
	char why[128];

	assert_int_equal(ontb_fabric_new(&config, why, sizeof(why), &fabric), 0);
	pci.machine = root.machine = ontb_fabric_machine(fabric, 0);
	assert_int_equal(ontb_irq_system_new(&system, &irqs), 0);
	assert_int_equal(ontb_pages_new(root.machine->ram, root.machine->ram_base, root.machine->ram_size, &pages), 0);
	root.irqs = irqs;
	root.pages = pages;
	assert_int_equal(ontb_x86_new(&root, &x86), 0);
	assert_int_equal(ontb_pci_scan(&pci, &bus), 0);
	assert_int_equal(sem_init(&has_run, 0, 0), 0);
}

static void shut_down(void)
{
	assert_int_equal(ontb_pci_bus_free(bus), 0);
	ontb_x86_free(x86);
	ontb_irq_system_free(irqs);
	assert_int_equal(ontb_pages_free(pages), 0);
	ontb_fabric_free(fabric);
	assert_int_equal(sem_destroy(&has_run), 0);
}

static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	if (virq == __atomic_load_n(&expected, __ATOMIC_ACQUIRE))
		(void)sem_post(dev);
	return ONTB_IRQ_HANDLED;
}

/*
 * The exerciser interrupts until the handler has run on a CPU: what comes while it still runs on another one is handled there.
 */
static void fire(struct ontb_pci_dev *dev, unsigned int idx, unsigned int cpu)
{
	uint64_t before = ontb_irq_count(irqs, ontb_pci_irq(dev, idx), cpu);
	struct timespec until;

	__atomic_store_n(&expected, ontb_pci_irq(dev, idx), __ATOMIC_RELEASE);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DEADLINE_S;
	do {
		ontb_pci_bar_write32(dev, 0, ONTB_EXERCISER_REG_FIRE, idx);
		assert_int_equal(sem_timedwait(&has_run, &until), 0);
	} while (ontb_irq_count(irqs, ontb_pci_irq(dev, idx), cpu) <= before);
}

static void request_all(struct ontb_pci_dev *dev, unsigned int nr)
{
	const struct ontb_irq_request request = { .handler = handle, .dev = &has_run, .name = "handle" };

	for (unsigned int i = 0; i < nr; i++)
		assert_int_equal(ontb_irq_request(irqs, ontb_pci_irq(dev, i), &request), 0);
}

static void free_all(struct ontb_pci_dev *dev, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		assert_int_equal(ontb_irq_free(irqs, ontb_pci_irq(dev, i), &has_run), 0);
}

static struct ontb_pci_dev *start_exerciser(void)
{
	struct ontb_pci_dev *dev = NULL;

	for (unsigned int i = 0; i < ontb_pci_nr_devs(bus); i++) {
		struct ontb_pci_dev *at = ontb_pci_dev_at(bus, i);

		if (ontb_pci_vendor(at) == ONTB_EXERCISER_VENDOR && ontb_pci_device(at) == ONTB_EXERCISER_DEVICE)
			dev = at;
	}
	assert_non_null(dev);
	assert_int_equal(ontb_pci_enable(dev), 0);
	ontb_pci_set_master(dev, true);
	assert_int_equal(ontb_pci_bar_read32(dev, 0, ONTB_EXERCISER_REG_ID), ONTB_EXERCISER_ID);
	return dev;
}

/* Fire every interrupt at every CPU. */
static void fire_around(struct ontb_pci_dev *dev, unsigned int nr)
{
	for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++) {
		const struct ontb_cpumask mask = ontb_cpumask_of(cpu);

		for (unsigned int i = 0; i < nr; i++) {
			assert_int_equal(ontb_irq_set_affinity(irqs, ontb_pci_irq(dev, i), &mask), 0);
			fire(dev, i, cpu);
		}
	}
}

static void msix_reaches_every_cpu(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct ontb_pci_dev *dev;
		struct ontb_msi_map map;

		boot("host a cpus=4 remap=on; endpoint exerciser a msi=4 msix=16", i);
		dev = start_exerciser();
		assert_int_equal(ontb_pci_alloc_irqs(dev, 8, 8, ONTB_PCI_IRQ_ANY), 8);
		request_all(dev, 8);
		fire_around(dev, 8);
		/* One more while the others are in use. */
		assert_int_equal(ontb_pci_msix_alloc_at(dev, ONTB_MSI_ANY_INDEX, NULL, &map), 0);
		assert_int_equal(map.index, 8);
		assert_int_equal(ontb_pci_bus_free(bus), -EBUSY);
		free_all(dev, 8);
		assert_int_equal(ontb_irq_spurious(irqs), 0);
		shut_down();
	}
}

static void msi_reaches_every_cpu(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct ontb_pci_dev *dev;
		int nr;

		boot("host a cpus=4 remap=on; endpoint exerciser a msi=4 msix=0", i);
		dev = start_exerciser();
		nr = ontb_pci_alloc_irqs(dev, 1, 4, ONTB_PCI_IRQ_ANY);
		assert_true(nr == 1 || nr == 4);
		request_all(dev, (unsigned int)nr);
		fire_around(dev, (unsigned int)nr);
		free_all(dev, (unsigned int)nr);
		shut_down();
	}
}

static void a_bridge_has_its_bars_and_its_vectors(void **state)
{
	struct ontb_pci_dev *dev;
	struct ontb_pci_bar bar;

	(void)state;
	boot("host a cpus=4; host b; bridge switchtec a b vectors=4", false);
	assert_int_equal(ontb_pci_nr_devs(bus), 1);
	dev = ontb_pci_dev_at(bus, 0);
	assert_string_equal(ontb_pci_name(dev), "0000:00:02.0");
	assert_int_equal(ontb_pci_vendor(dev), 0x11f8);
	assert_int_equal(ontb_pci_enable(dev), 0);
	assert_int_equal(ontb_pci_bar(dev, 2, &bar), 0);
	assert_int_equal(bar.addr % bar.size, 0);
	assert_int_equal(ontb_pci_alloc_irqs(dev, 1, 100, ONTB_PCI_IRQ_ANY), 4);
	shut_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(msix_reaches_every_cpu),
		cmocka_unit_test(msi_reaches_every_cpu),
		cmocka_unit_test(a_bridge_has_its_bars_and_its_vectors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
