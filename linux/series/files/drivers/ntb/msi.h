/* SPDX-License-Identifier: GPL-2.0-only */
/* What the MSI library has for the NTB core only */

#ifndef _NTB_MSI_H
#define _NTB_MSI_H

#include <linux/types.h>

struct ntb_dev;

#ifdef CONFIG_NTB_MSI
void ntb_msi_quiesce(struct ntb_dev *ntb);
#else
static inline void ntb_msi_quiesce(struct ntb_dev *ntb) {}
#endif

#endif /* _NTB_MSI_H */
