# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Guests for the emulated bridge: QEMU, kernels, initramfs and the pair of them."""
