// SPDX-License-Identifier: GPL-2.0-only
// When a client has taken back its context, nothing reaches it anymore.
@@
identifier ntb, flags;
@@
  void ntb_clear_ctx(struct ntb_dev *ntb)
  {
  ...
  spin_unlock_irqrestore(&ntb->ctx_lock, flags);
+ ntb_msi_quiesce(ntb);
  }
