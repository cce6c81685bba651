// SPDX-License-Identifier: GPL-2.0-only
@@
expression dev, min, max;
@@
  pci_alloc_irq_vectors(dev, min, max,
-                       PCI_IRQ_MSIX | PCI_IRQ_MSI | PCI_IRQ_VIRTUAL
+                       PCI_IRQ_MSIX | PCI_IRQ_MSI
                       )
