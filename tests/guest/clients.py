# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""What tests do with the kernel's NTB clients, through their debugfs files."""

from harness import KitError, expect, process

from ontb_vm import demo

DEBUGFS = "/sys/kernel/debug"


def tool(device):
    """ntb_tool's folder of a device."""
    return f"{DEBUGFS}/ntb_tool/{device}"


def load_tool(lab):
    """Load ntb_tool everywhere and wait until both ends see the link."""
    lab.load("ntb_tool")
    for one, device in lab.ends():
        one.sh(f"echo Y >{tool(device)}/link")
    for one, device in lab.ends():
        one.sh(f"echo Y >{tool(device)}/peer0/link_event", 60)


def load_pingpong(guests):
    """Load ntb_pingpong, with a pause of 10 ms instead of a second between two balls."""
    for one in guests:
        one.sh("modprobe ntb_pingpong delay_ms=10", 60)


def pingpong_count(one, device):
    """How often ntb_pingpong was hit."""
    return int(one.sh(f"cat {DEBUGFS}/ntb_pingpong/{device}/count"))


def wait_pingpong(lab, more=20, seconds=60):
    """Wait until both counters of ntb_pingpong have grown by @more."""
    for one, device in lab.ends():
        start = pingpong_count(one, device)
        process.wait_until(f"{one.name}: ping pong goes on",
                           lambda one=one, device=device, start=start:
                           pingpong_count(one, device) >= start + more, seconds, 0.2)


def trade_interrupts(lab, times=5):
    """Trade NTB MSI interrupts both ways; each must arrive exactly once."""
    demo.load(lab.guests)
    lines = []
    for sender, receiver in (lab.guests, lab.guests[::-1]):
        wanted, seen, _, after = demo.trigger(sender, receiver, times)
        expect(wanted == seen, f"{sender.name} -> {receiver.name}: sent {wanted}, "
               f"arrived {seen}")
        lines.append([line for _, line in after.values()])
    return lines


def table_size(one, device):
    """Number of MSI-X vectors of a device."""
    for line in one.sh(f"lspci -vv -s {device}").splitlines():
        if "MSI-X:" in line:
            return int(line.split("Count=")[1].split()[0])
    raise KitError(f"{one.name}: {device} has no MSI-X")


def peer_word(one, device, offset=0):
    """Read 4 bytes of ntb_tool's outgoing window 0 at @offset, as hex text."""
    return one.sh(f"dd if={tool(device)}/peer0/peer_mw0 bs=4 count=1 skip={offset // 4} "
                  "2>/dev/null | od -An -tx4").strip()


def open_window(owner, owner_device, user, user_device, size=65536):
    """Let @user reach @size bytes of @owner through window 0, with ntb_tool."""
    folder = f"{tool(owner_device)}/peer0"
    owner.sh(f"echo {size} >{folder}/mw_trans0")
    text = owner.sh(f"cat {folder}/mw_trans0")
    address = [line.split()[-1].removesuffix("[p]") for line in text.splitlines()
               if line.startswith("DMA Address")]
    expect(len(address) == 1, f"no address in {text!r}")
    user.sh(f"echo {address[0]}:{size} >{tool(user_device)}/peer0/peer_mw_trans0")


def close_window(owner, owner_device, user, user_device):
    """Undo open_window(); ntb_tool of Linux 6.12 crashes when unloaded without this."""
    if user is not None:
        user.sh(f"echo 0x0:0 >{tool(user_device)}/peer0/peer_mw_trans0")
    if owner is not None:
        owner.sh(f"echo 0 >{tool(owner_device)}/peer0/mw_trans0")
