// SPDX-License-Identifier: GPL-2.0-only
@@
expression e;
@@
- if (e->write_msi_msg)
-	e->write_msi_msg(e, e->write_msi_msg_data);
