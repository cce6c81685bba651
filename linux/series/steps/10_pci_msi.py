# SPDX-License-Identifier: GPL-2.0-only
"""PCI/MSI: Provide per device domains for NTB interrupts

A write of a peer through a memory window of a non-transparent bridge
can trigger an interrupt. So far such interrupts pretend to be entries
behind the end of the function's MSI-X table (PCI_IRQ_VIRTUAL), and
every place that touches the table has to look out for them.

Provide functions to create and remove a domain beside the PCI/MSI[-X]
domain of a function and to allocate and free interrupts there, one at a
time. As storing the message is the business of the NTB core, it brings
the interrupt chip and keeps its data of an interrupt in the instance
cookie.

This is not for drivers: the functions are exported for ntb.ko only.
"""

SOURCE = "drivers/pci/msi/irqdomain.c"
HEADER = "include/linux/msi.h"

CODE = '''\
/**
 * pci_ntb_create_domain - Create a domain for interrupts which peers of an NTB trigger
 * @pdev:	The PCI function of the bridge
 * @template:	Interrupt chip, domain operations and flags. The chip has no
 *		irq_set_affinity() callback, as that is up to the parent domain
 * @hwsize:	Maximum number of interrupts
 *
 * The domain is independent of the function's PCI/MSI[-X] domain. Each can be
 * created and removed while the other one is in use.
 *
 * Return: True on success, false if the MSI parent domain of @pdev cannot
 *	   have it or the creation fails
 */
bool pci_ntb_create_domain(struct pci_dev *pdev, const struct msi_domain_template *template,
			   unsigned int hwsize)
{
	struct irq_domain *parent = dev_get_msi_domain(&pdev->dev);

	if (!parent || !irq_domain_is_msi_parent(parent))
		return false;

	if (!pci_msi_domain_supports(pdev, MSI_FLAG_PCI_NTB, DENY_LEGACY))
		return false;

	if (WARN_ON_ONCE(template->info.bus_token != DOMAIN_BUS_PCI_DEVICE_NTB ||
			 !(template->info.flags & MSI_FLAG_FREE_MSI_DESCS) ||
			 !template->chip.irq_mask || !template->chip.irq_unmask ||
			 !template->chip.irq_write_msi_msg ||
			 template->chip.irq_set_affinity))
		return false;

	return msi_create_device_irq_domain(&pdev->dev, MSI_SECONDARY_DOMAIN, template,
					    hwsize, NULL, NULL);
}
EXPORT_SYMBOL_FOR_MODULES(pci_ntb_create_domain, "ntb");

/**
 * pci_ntb_remove_domain - Remove what pci_ntb_create_domain() created
 * @pdev:	The PCI function of the bridge
 *
 * All interrupts of the domain must have been freed.
 */
void pci_ntb_remove_domain(struct pci_dev *pdev)
{
	msi_remove_device_irq_domain(&pdev->dev, MSI_SECONDARY_DOMAIN);
}
EXPORT_SYMBOL_FOR_MODULES(pci_ntb_remove_domain, "ntb");

/**
 * pci_ntb_alloc_irq - Allocate an interrupt in the NTB domain of a PCI function
 * @pdev:	The PCI function of the bridge
 * @icookie:	What the interrupt chip finds in msi_desc::data::icookie
 *
 * Return: A struct msi_map
 *
 *	On success msi_map::index contains the index in the domain (>= 0) and
 *	msi_map::virq the Linux interrupt number.
 *
 *	On failure msi_map::index contains the error code and msi_map::virq
 *	is 0.
 */
struct msi_map pci_ntb_alloc_irq(struct pci_dev *pdev, union msi_instance_cookie *icookie)
{
	return msi_domain_alloc_irq_at(&pdev->dev, MSI_SECONDARY_DOMAIN, MSI_ANY_INDEX,
				       NULL, icookie);
}
EXPORT_SYMBOL_FOR_MODULES(pci_ntb_alloc_irq, "ntb");

/**
 * pci_ntb_free_irq - Free an interrupt in the NTB domain of a PCI function
 * @pdev:	The PCI function of the bridge
 * @map:	What pci_ntb_alloc_irq() returned
 */
void pci_ntb_free_irq(struct pci_dev *pdev, struct msi_map map)
{
	if (WARN_ON_ONCE(map.index < 0 || map.virq <= 0))
		return;

	msi_domain_free_irqs_range(&pdev->dev, MSI_SECONDARY_DOMAIN, map.index, map.index);
}
EXPORT_SYMBOL_FOR_MODULES(pci_ntb_free_irq, "ntb");

'''

DECLARATIONS = '''\
bool pci_ntb_create_domain(struct pci_dev *pdev, const struct msi_domain_template *template,
			   unsigned int hwsize);
void pci_ntb_remove_domain(struct pci_dev *pdev);
struct msi_map pci_ntb_alloc_irq(struct pci_dev *pdev, union msi_instance_cookie *icookie);
void pci_ntb_free_irq(struct pci_dev *pdev, struct msi_map map);
'''


def edit(tree):
    """The changes of this commit."""
    tree.after(SOURCE, "#include <linux/acpi_iort.h>", "#include <linux/export.h>\n")
    # In front of the comment about requester IDs, behind the last function on domains.
    tree.before(SOURCE, r"/\*(?=\n \* Users of the generic MSI infrastructure expect)", CODE)
    tree.before(HEADER, r"#else /\* CONFIG_PCI_MSI \*/", DECLARATIONS)
