/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the NTB MSI library replace */

#ifndef _NTB_MSI_H
#define _NTB_MSI_H

#include <linux/types.h>

#if IS_ENABLED(CONFIG_KUNIT)
void __iomem *ntb_msi_map_peer(phys_addr_t addr, resource_size_t size);
void ntb_msi_unmap_peer(void __iomem *base);
#endif

#endif /* _NTB_MSI_H */
