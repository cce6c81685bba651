// SPDX-License-Identifier: GPL-2.0-only
// The last argument of the internal function was for virtual vectors only.

@@
expression dev, entries, min, max, affd, flags;
@@
  __pci_enable_msix_range(dev, entries, min, max, affd
-                         , flags
                         )

@@
identifier dev, entries, min, max, affd, flags;
@@
  int __pci_enable_msix_range(struct pci_dev *dev, struct msix_entry *entries, int min,
			      int max, struct irq_affinity *affd
-                             , int flags
                             );
