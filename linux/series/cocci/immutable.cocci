// SPDX-License-Identifier: GPL-2.0-only
// An index into a remapping table stays when the entry is directed at another CPU.
@@
identifier info;
@@
  struct irq_domain_info info = {
	.domain_flags =
-		IRQ_DOMAIN_FLAG_ISOLATED_MSI
+		IRQ_DOMAIN_FLAG_ISOLATED_MSI | IRQ_DOMAIN_FLAG_MSI_IMMUTABLE
	,
  };
