// SPDX-License-Identifier: GPL-2.0-only
// A vector of a MSI-X table is in the table: what asked for the other kind goes.

@@
expression e;
@@
(
- if (WARN_ON_ONCE(e->pci.msi_attrib.is_virtual))
-	return;
|
- if (e->pci.msi_attrib.is_virtual)
-	return;
)

@@
expression a, e;
@@
  if (a
-     && !e->pci.msi_attrib.is_virtual
     ) { ... }

@@
expression a, e;
@@
  if (a
-     || e->pci.msi_attrib.is_virtual
     ) return ...;

// The entry that a driver asks for may be anything.
@@
expression e, count;
@@
- e.pci.msi_attrib.is_virtual = e.msi_index >= count;
+ if (e.msi_index >= count) {
+	ret = -ERANGE;
+	break;
+ }

@@
expression H, N, F;
@@
- if (H < N) {
-	if (F & PCI_IRQ_VIRTUAL)
-		H = N;
-	else
-		N = H;
- }
+ if (H < N)
+	N = H;

@@
identifier f = __pci_enable_msix_range;
identifier flags;
@@
  f(...
-   , int flags
   ) { ... }
