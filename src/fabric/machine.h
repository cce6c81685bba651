/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * A machine: memory, CPUs, an IOMMU if asked for, and the decoding of addresses and requester ids to functions.
 *
 *      0x40000000            memory
 *      0xe0000000            BARs below 4 GiB
 *      0xfed90000            registers of the IOMMU
 *      0xfee00000            interrupt messages
 *      0x10000000000         BARs above 4 GiB, instead of the others if they need more room
 */
#ifndef ONTB_FABRIC_MACHINE_H
#define ONTB_FABRIC_MACHINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openntb/machine.h>

#include "base/annotate.h"
#include "fabric/function.h"
#include "fabric/root.h"
#include "fabric/topology.h"
#include "hw/x86/cpu.h"
#include "hw/x86/lapic.h"
#include "hw/x86/vtd.h"

#define ONTB_FM_RAM_BASE   0x40000000ULL
#define ONTB_FM_BAR_BASE   0xe0000000ULL
#define ONTB_FM_BAR_END	   0xfe000000ULL
#define ONTB_FM_BAR64_BASE 0x10000000000ULL
#define ONTB_FM_BAR64_SIZE 0x100000000000ULL
#define ONTB_FM_IOMMU_BASE 0xfed90000ULL
#define ONTB_FM_FIRST_DEV  2

struct ontb_fmachine;

/**
 * struct ontb_fm_bar - what answers at an address: a row of the decoder
 * @base:     Address, or 1, which no masked address is, while it does not answer. Atomic.
 * @mask:     Takes the offset out of an address. Constant.
 * @function: Function. Constant.
 * @bar:      Its BAR. Constant.
 */
struct ontb_fm_bar {
	_Atomic uint64_t base;
	uint64_t mask;
	struct ontb_function *function;
	unsigned int bar;
};

/**
 * struct ontb_fm_slot - a place for a function
 * @machine:  Machine. Constant.
 * @function: Function, NULL if there is none. Changes while no CPU runs.
 * @bars:     By BAR: its row of the decoder, or NULL. Likewise.
 */
struct ontb_fm_slot {
	struct ontb_fmachine *machine;
	struct ontb_function *function;
	struct ontb_fm_bar *bars[ONTB_NR_BARS];
};

/**
 * struct ontb_fmachine - a machine
 * @machine:       What software sees. Constant.
 * @name:          Its name. Constant.
 * @ram_fd:        File behind the memory. Constant.
 * @bus:           Local APICs.
 * @vtd:           Remapping unit, or NULL. Constant.
 * @cpus:          CPUs. Constant pointer.
 * @root:          Root complex.
 * @nr_slots:      Slots taken. Changes while no CPU runs.
 * @slots:         By device number - ONTB_FM_FIRST_DEV.
 * @nr_bars:       Rows of the decoder, likewise.
 * @bars:          Decoder.
 * @nr_unanswered: Accesses of CPUs that nothing answered. Atomic.
 */
struct ontb_fmachine {
	struct ontb_machine machine;
	char name[ONTB_TOPO_MAX_NAME + 1];
	int ram_fd;
	struct ontb_apic_bus bus;
	struct ontb_vtd *vtd;
	struct ontb_cpu *cpus;
	struct ontb_root root;
	unsigned int nr_slots;
	struct ontb_fm_slot slots[ONTB_TOPO_MAX_FUNCS];
	unsigned int nr_bars;
	struct ontb_fm_bar bars[ONTB_TOPO_MAX_FUNCS * ONTB_NR_BARS];
	_Alignas(64) _Atomic uint64_t nr_unanswered;
};

/**
 * ontb_fmachine_new() - build a machine without functions
 * @host:       What it has.
 * @bar_bytes:  Room that the BARs of its functions need.
 * @is_stepped: Its CPUs have no threads.
 * @out:        OUT.
 *
 * Return: 0, -ENOMEM, or the error of a system call.
 */
int ontb_fmachine_new(const struct ontb_topo_host *host, uint64_t bar_bytes, bool is_stepped,
		      struct ontb_fmachine **out) ONTB_MUST_CHECK;

/**
 * ontb_fmachine_free() - free a machine and its functions
 * @machine: Machine whose CPUs are stopped, or NULL.
 */
void ontb_fmachine_free(struct ontb_fmachine *machine);

/**
 * ontb_fmachine_free_functions() - unplug and free its functions
 * @machine: Machine whose CPUs are stopped.
 */
void ontb_fmachine_free_functions(struct ontb_fmachine *machine);

/**
 * ontb_fmachine_add() - put a function into the next free slot
 * @machine: Machine of which no CPU runs.
 * @config:  Of the function; root, requester id and callback are filled in here.
 * @out:     OUT, owned by the machine. May be NULL.
 *
 * Return: 0, -ENOSPC, or what ontb_function_new() said.
 */
int ontb_fmachine_add(struct ontb_fmachine *machine, const struct ontb_function_config *config,
		      struct ontb_function **out) ONTB_MUST_CHECK;

#endif
