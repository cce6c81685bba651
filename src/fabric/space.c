// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Configuration space.
 *
 * The model sees all writes and answers all reads; then the bits that the carrier owns are put over its answer. Layouts are
 * those of PCIe 5.0: 7.5.1.2.1 "Base Address Registers", 7.5.3 "PCI Express Capability Structure", 7.7.1 "MSI Capability
 * Structures", 7.7.2 "MSI-X Capability and Table Structure".
 */
#include "fabric/space.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"

#define CFG_COMMAND	0x04
#define CFG_STATUS	0x06
#define CFG_BAR0	0x10
#define CFG_CAP_PTR	0x34
#define COMMAND_MEMORY	0x0002
#define STATUS_CAP_LIST 0x0010
#define BAR_64BIT	0x4
#define BAR_PREFETCH	0x8
#define CAP_ID_MSI	0x05
#define CAP_ID_EXP	0x10
#define CAP_ID_MSIX	0x11
#define FIRST_CAP	0x40
#define MAX_CAPS	48

#define MSIX_CONTROL	0x02
#define MSIX_TABLE	0x04
#define MSIX_PBA	0x08
#define MSIX_SIZE	12
#define MSIX_ENABLE	0x8000
#define MSIX_MASK_ALL	0x4000
#define MSIX_LAST	0x07ff
#define MSIX_BAR	0x7U
#define MSI_CONTROL	0x02
#define MSI_ADDR	0x04
#define MSI_ENABLE	0x0001
#define MSI_CAPABLE(c)	((c) >> 1 & 7)
#define MSI_GRANTED(c)	((c) >> 4 & 7)
#define MSI_GRANTED_ALL 0x0070
#define MSI_64BIT	0x0080
#define MSI_MASKS	0x0100
#define MSI_MAX_LOG	5
#define MSI_MAX_SIZE	24
#define EXP_DEVCAP	0x04
#define EXP_DEVCTL	0x08
#define EXP_MIN_SIZE	0x0c
#define DEVCAP_FLR	0x10000000
#define DEVCTL_FLR	0x80

/* Offsets in an MSI capability, which depend on its control bits. */
static unsigned int msi_data(uint16_t control)
{
	return control & MSI_64BIT ? 0x0c : 0x08;
}

static unsigned int msi_mask(uint16_t control)
{
	return msi_data(control) + 4;
}

static unsigned int msi_pending(uint16_t control)
{
	return msi_data(control) + 8;
}

static uint16_t msi_control(const struct ontb_function *function)
{
	return ontb_get_le16(function->initial + function->msi_cap + MSI_CONTROL);
}

static void own(struct ontb_function *function, unsigned int offset, uint32_t initial, uint32_t owned,
		uint32_t writable)
{
	ontb_put_le32(function->initial + offset, initial);
	ontb_put_le32(function->owned + offset, owned);
	ontb_put_le32(function->writable + offset, writable);
}

/* The upper half of a register of 32 bits whose lower half is the capability's header. */
static void own_control(struct ontb_function *function, unsigned int cap, uint16_t initial, uint16_t owned)
{
	own(function, cap, (uint32_t)initial << 16, (uint32_t)owned << 16, (uint32_t)owned << 16);
}

static void own_bars(struct ontb_function *function)
{
	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		const struct ontb_bar_info *bar = &function->info.bars[b];
		uint64_t mask = ~(bar->size - 1);
		uint32_t flags = (bar->is_64bit ? BAR_64BIT : 0) | (bar->prefetchable ? BAR_PREFETCH : 0);
		bool is_upper = b && function->info.bars[b - 1].size && function->info.bars[b - 1].is_64bit;

		if (is_upper)
			continue;
		if (!bar->size) {
			own(function, CFG_BAR0 + 4 * b, 0, UINT32_MAX, 0);
			continue;
		}
		own(function, CFG_BAR0 + 4 * b, flags, UINT32_MAX, (uint32_t)mask & ~0xfU);
		if (bar->is_64bit && b + 1 < ONTB_NR_BARS)
			own(function, CFG_BAR0 + 4 * (b + 1), 0, UINT32_MAX, (uint32_t)(mask >> 32));
	}
}

static bool fits_bar(const struct ontb_function *function, uint32_t place, uint64_t size)
{
	unsigned int bar = place & MSIX_BAR;

	return bar < ONTB_NR_BARS && ontb_range_fits(place & ~MSIX_BAR, size, function->info.bars[bar].size);
}

static void own_msix(struct ontb_function *function, const uint8_t *space, unsigned int cap)
{
	uint16_t control = ontb_get_le16(space + cap + MSIX_CONTROL);
	uint32_t table = ontb_get_le32(space + cap + MSIX_TABLE), pba = ontb_get_le32(space + cap + MSIX_PBA);
	uint64_t nr = (control & MSIX_LAST) + 1ULL;

	if (!fits_bar(function, table, nr * ONTB_MSIX_ENTRY_SIZE) || !fits_bar(function, pba, (nr + 63) / 64 * 8)) {
		ontb_log(ONTB_LOG_WARNING,
			 "function %02x:%02x.%x: MSI-X capability at 0x%x: table or pending bits lie outside the BARs",
			 function->config.rid >> 8, function->config.rid >> 3 & 0x1f, function->config.rid & 7, cap);
		return;
	}
	function->msix_cap = cap;
	function->msix_bar = table & MSIX_BAR;
	function->msix_table = table & ~MSIX_BAR;
	function->pba_bar = pba & MSIX_BAR;
	function->pba = pba & ~MSIX_BAR;
	own_control(function, cap, control & MSIX_LAST, MSIX_ENABLE | MSIX_MASK_ALL);
}

static void own_msi(struct ontb_function *function, const uint8_t *space, unsigned int cap)
{
	uint16_t control = ontb_get_le16(space + cap + MSI_CONTROL) & (MSI_64BIT | MSI_MASKS | 7 << 1);
	unsigned int log = MSI_CAPABLE(control) > MSI_MAX_LOG ? MSI_MAX_LOG : MSI_CAPABLE(control);
	uint32_t masks = (uint32_t)((1ULL << (1U << log)) - 1);

	function->msi_cap = cap;
	own_control(function, cap, control, MSI_ENABLE | MSI_GRANTED_ALL);
	own(function, cap + MSI_ADDR, 0, UINT32_MAX, ~3U);
	if (control & MSI_64BIT)
		own(function, cap + MSI_ADDR + 4, 0, UINT32_MAX, UINT32_MAX);
	own(function, cap + msi_data(control), 0, 0xffff, 0xffff);
	if (!(control & MSI_MASKS))
		return;
	own(function, cap + msi_mask(control), 0, UINT32_MAX, masks);
	own(function, cap + msi_pending(control), 0, UINT32_MAX, 0);
}

static void take_cap(struct ontb_function *function, const uint8_t *space, unsigned int cap)
{
	switch (space[cap]) {
	case CAP_ID_MSIX:
		if (cap + MSIX_SIZE <= ONTB_FUNCTION_SPACE && !function->msix_cap)
			own_msix(function, space, cap);
		break;
	case CAP_ID_MSI:
		if (cap + MSI_MAX_SIZE <= ONTB_FUNCTION_SPACE && !function->msi_cap)
			own_msi(function, space, cap);
		break;
	case CAP_ID_EXP:
		if (cap + EXP_MIN_SIZE > ONTB_FUNCTION_SPACE || function->exp_cap)
			break;
		function->exp_cap = cap;
		function->has_flr = ontb_get_le32(space + cap + EXP_DEVCAP) & DEVCAP_FLR;
		break;
	default:
		break;
	}
}

void ontb_space_init(struct ontb_function *function)
{
	struct ontb_func *func = function->config.func;
	uint8_t space[ONTB_FUNCTION_SPACE];
	unsigned int cap;

	ontb_lock_init(&function->lock);
	func->ops->enter(func);
	if (func->ops->config_read(func, 0, space, sizeof(space)))
		memset(space, 0, sizeof(space));
	func->ops->leave(func);
	own_bars(function);
	if (!(ontb_get_le16(space + CFG_STATUS) & STATUS_CAP_LIST))
		goto reset;
	/* The list is a model's, maybe in another process: it may have a circle, and it may point anywhere. */
	cap = space[CFG_CAP_PTR] & ~3U;
	for (unsigned int i = 0; i < MAX_CAPS && cap >= FIRST_CAP; i++) {
		take_cap(function, space, cap);
		cap = space[cap + 1] & ~3U;
	}
reset:
	memcpy(function->bytes, function->initial, sizeof(function->bytes));
}

void ontb_space_fini(struct ontb_function *function)
{
	ontb_lock_fini(&function->lock);
}

unsigned int ontb_space_nr_msix(const struct ontb_function *function)
{
	if (!function->msix_cap)
		return 0;
	return (ontb_get_le16(function->initial + function->msix_cap + MSIX_CONTROL) & MSIX_LAST) + 1U;
}

static void update_bars_locked(struct ontb_function *function) ONTB_MUST_HOLD(function->lock)
{
	for (unsigned int b = 0; b < ONTB_NR_BARS; b++) {
		const struct ontb_bar_info *bar = &function->info.bars[b];
		const uint8_t *reg = &function->bytes[CFG_BAR0 + 4 * b];
		uint64_t addr;

		if (!bar->size)
			continue;
		addr = bar->is_64bit && b + 1 < ONTB_NR_BARS ? ontb_get_le64(reg) : ontb_get_le32(reg);
		addr = function->command & COMMAND_MEMORY ? addr & ~0xfULL : 0;
		function->config.moved(function->config.arg, b, addr);
	}
}

static void update_msix_locked(struct ontb_function *function) ONTB_MUST_HOLD(function->lock)
{
	uint16_t control;

	if (!function->msix_cap)
		return;
	control = ontb_get_le16(function->bytes + function->msix_cap + MSIX_CONTROL);
	ontb_vectors_set_msix(&function->vectors, control & MSIX_ENABLE, control & MSIX_MASK_ALL);
}

static void update_msi_locked(struct ontb_function *function) ONTB_MUST_HOLD(function->lock)
{
	const uint8_t *cap = function->bytes + function->msi_cap;
	struct ontb_msi_state msi = { 0 };
	uint16_t control;
	unsigned int log;

	if (!function->msi_cap)
		return;
	control = ontb_get_le16(cap + MSI_CONTROL);
	log = MSI_GRANTED(control);
	/* More than the function has asked for is software's mistake; it gets what there is. */
	if (log > MSI_CAPABLE(control))
		log = MSI_CAPABLE(control);
	if (log > MSI_MAX_LOG)
		log = MSI_MAX_LOG;
	msi.is_enabled = control & MSI_ENABLE;
	msi.nr_messages = 1U << log;
	msi.addr = control & MSI_64BIT ? ontb_get_le64(cap + MSI_ADDR) : ontb_get_le32(cap + MSI_ADDR);
	msi.data = ontb_get_le16(cap + msi_data(control));
	if (control & MSI_MASKS)
		msi.mask = ontb_get_le32(cap + msi_mask(control));
	ontb_vectors_set_msi(&function->vectors, &msi);
}

void ontb_space_reset(struct ontb_function *function)
{
	ontb_lock(&function->lock);
	memcpy(function->bytes, function->initial, sizeof(function->bytes));
	function->command = 0;
	update_bars_locked(function);
	ontb_vectors_reset(&function->vectors);
	ontb_unlock(&function->lock);
}

static void put_pending(struct ontb_function *function, uint8_t bytes[ONTB_FUNCTION_SPACE])
{
	uint16_t control;

	if (!function->msi_cap)
		return;
	control = msi_control(function);
	if (control & MSI_MASKS)
		ontb_put_le32(bytes + function->msi_cap + msi_pending(control),
			      ontb_vectors_msi_pending(&function->vectors));
}

int ontb_space_read(struct ontb_function *function, unsigned int offset, void *buf, size_t len)
{
	struct ontb_func *func = function->config.func;
	uint8_t bytes[ONTB_FUNCTION_SPACE], *dst = buf;
	int ret;

	ret = func->ops->config_read(func, offset, buf, len);
	if (ret || offset >= ONTB_FUNCTION_SPACE)
		return ret;
	ontb_lock(&function->lock);
	memcpy(bytes, function->bytes, sizeof(bytes));
	ontb_unlock(&function->lock);
	put_pending(function, bytes);
	for (size_t i = 0; i < len && offset + i < ONTB_FUNCTION_SPACE; i++) {
		uint8_t owned = function->owned[offset + i];

		dst[i] = (uint8_t)((dst[i] & ~owned) | (bytes[offset + i] & owned));
	}
	return 0;
}

static bool is_touched(unsigned int offset, size_t len, unsigned int start, unsigned int size)
{
	return ontb_ranges_overlap(offset, len, start, size);
}

bool ontb_space_write(struct ontb_function *function, unsigned int offset, const void *buf, size_t len)
{
	struct ontb_func *func = function->config.func;
	const uint8_t *src = buf;
	uint8_t command[2];
	unsigned int flr;

	if (func->ops->config_write(func, offset, buf, len) || offset >= ONTB_FUNCTION_SPACE)
		return false;
	if (func->ops->config_read(func, CFG_COMMAND, command, sizeof(command)))
		memset(command, 0, sizeof(command));
	ontb_lock(&function->lock);
	for (size_t i = 0; i < len && offset + i < ONTB_FUNCTION_SPACE; i++) {
		uint8_t mask = function->writable[offset + i];
		uint8_t *byte = &function->bytes[offset + i];

		*byte = (uint8_t)((*byte & ~mask) | (src[i] & mask));
	}
	function->command = ontb_get_le16(command);
	if (is_touched(offset, len, CFG_COMMAND, 2) || is_touched(offset, len, CFG_BAR0, 4 * ONTB_NR_BARS))
		update_bars_locked(function);
	if (function->msix_cap && is_touched(offset, len, function->msix_cap, MSIX_SIZE))
		update_msix_locked(function);
	if (function->msi_cap && is_touched(offset, len, function->msi_cap, MSI_MAX_SIZE))
		update_msi_locked(function);
	ontb_unlock(&function->lock);
	/* "Initiate Function Level Reset" is the top bit of Device Control. */
	flr = function->exp_cap + EXP_DEVCTL + 1;
	return function->has_flr && is_touched(offset, len, flr, 1) && src[flr - offset] & DEVCTL_FLR;
}
