// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * MSI-X of a PCI device: a machine with one endpoint, the software of a host on it, and a handler for each vector.
 *
 *     cc -o msix msix.c $(pkg-config --cflags --libs openntb)
 */
#include <err.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

#include <openntb/error.h>
#include <openntb/exerciser.h>
#include <openntb/fabric.h>
#include <openntb/host.h>

#define NR_VECTORS 4U

static int must(int ret, const char *what)
{
	if (ret < 0)
		errx(1, "%s: %s", what, ontb_strerror(ret));
	return ret;
}

/* A handler may not block; posting a semaphore does not. */
static enum ontb_irq_return handle(unsigned int virq, void *dev)
{
	(void)virq;
	(void)sem_post(dev);
	return ONTB_IRQ_HANDLED;
}

static struct ontb_pci_dev *find_endpoint(struct ontb_pci_bus *bus)
{
	for (unsigned int i = 0; i < ontb_pci_nr_devs(bus); i++) {
		struct ontb_pci_dev *dev = ontb_pci_dev_at(bus, i);

		if (ontb_pci_vendor(dev) == ONTB_EXERCISER_VENDOR && ontb_pci_device(dev) == ONTB_EXERCISER_DEVICE)
			return dev;
	}
	errx(1, "there is no exerciser");
}

/* Tell the device to interrupt, and wait for the handler each time: messages that find one pending are one interrupt. */
static void fire(struct ontb_pci_dev *dev, unsigned int vector, unsigned int times, sem_t *arrived)
{
	struct timespec end;

	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 10;
	for (unsigned int i = 0; i < times; i++) {
		ontb_pci_bar_write32(dev, 0, ONTB_EXERCISER_REG_FIRE, vector);
		if (sem_timedwait(arrived, &end))
			err(1, "vector %u", vector);
	}
}

int main(void)
{
	const struct ontb_fabric_config machines = { .topology = "host box cpus=2; endpoint exerciser box msix=4" };
	struct ontb_irq_request request = { .handler = handle, .name = "example" };
	struct ontb_host_config config = { .max_irqs = 1024 };
	struct ontb_irq_status status;
	struct ontb_fabric *fabric;
	struct ontb_host *host;
	struct ontb_pci_dev *dev;
	sem_t arrived[NR_VECTORS];

	must(ontb_fabric_new(&machines, NULL, 0, &fabric), "machines");
	config.machine = ontb_fabric_machine(fabric, 0);
	must(ontb_host_boot(&config, &host), "host");
	dev = find_endpoint(ontb_host_pci(host));
	must(ontb_pci_enable(dev), "enable");
	ontb_pci_set_master(dev, true); /* a message is a write of the device */
	must(ontb_pci_alloc_irqs(dev, NR_VECTORS, NR_VECTORS, ONTB_PCI_IRQ_MSIX), "vectors");

	for (unsigned int i = 0; i < NR_VECTORS; i++) {
		(void)sem_init(&arrived[i], 0, 0);
		request.dev = &arrived[i];
		must(ontb_irq_request(ontb_host_irqs(host), ontb_pci_irq(dev, i), &request), "handler");
		fire(dev, i, i + 1, &arrived[i]);
		must(ontb_irq_status(ontb_host_irqs(host), ontb_pci_irq(dev, i), &status), "status");
		printf("%s: vector %u, CPU %u: handled %u times\n", status.domains[0], i, status.effective,
		       (unsigned int)status.count);
		must(ontb_irq_free(ontb_host_irqs(host), ontb_pci_irq(dev, i), &arrived[i]), "free");
		if (status.count != i + 1)
			errx(1, "vector %u: %u expected", i, i + 1);
	}
	must(ontb_pci_free_irqs(dev), "free vectors");
	ontb_host_shutdown(host);
	ontb_fabric_free(fabric);
	return 0;
}
