// SPDX-License-Identifier: GPL-2.0-only
// A sleep that nothing ends early needs no way out.
@@
expression time;
@@
- if (msleep_interruptible(time) != 0) {
-	...
- }
+ msleep(time);
