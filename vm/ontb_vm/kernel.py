# SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
"""Debian's stock kernels, and upstream's NTB modules built for them, unmodified.

Debian leaves CONFIG_NTB and CONFIG_PCI_SW_SWITCHTEC off, so the modules are built out
of tree from Debian's own source package.  No file of theirs is edited: the Makefiles
test $(CONFIG_X), which make variables set.  Only CONFIG_NTB_MSI is also tested by C
code, where it changes the size of struct ntb_dev, so every module of the set gets the
define.  A module built without it would link and load, and then overlay its fields.
"""

import concurrent.futures
import re
import shutil

from . import cache, debian, kbuild, modfile, source
from .cache import KitError, say

KERNELS = {"6.12": debian.RELEASE, "7.3": debian.BACKPORTS}

# What the guests need of the stock modules; the rest of 100 MB stays packed.
STOCK = ("virtio", "virtio_ring", "virtio_pci", "virtio_pci_modern_dev",
         "virtio_pci_legacy_dev", "virtio_net", "net_failover", "failover")
NTB = ("switchtec", "ntb", "ntb_hw_switchtec", "ntb_transport", "ntb_netdev", "ntb_tool",
       "ntb_perf", "ntb_pingpong", "ntb_msi_test")

KBUILD = """\
CONFIG_PCI_SW_SWITCHTEC := m
CONFIG_NTB := m
CONFIG_NTB_MSI := y
CONFIG_NTB_SWITCHTEC := m
CONFIG_NTB_TRANSPORT := m
CONFIG_NTB_PINGPONG := m
CONFIG_NTB_TOOL := m
CONFIG_NTB_PERF := m
CONFIG_NTB_MSI_TEST := m
export CONFIG_PCI_SW_SWITCHTEC CONFIG_NTB CONFIG_NTB_MSI CONFIG_NTB_SWITCHTEC
export CONFIG_NTB_TRANSPORT CONFIG_NTB_PINGPONG CONFIG_NTB_TOOL CONFIG_NTB_PERF
export CONFIG_NTB_MSI_TEST
subdir-ccflags-y += -DCONFIG_NTB_MSI=1
obj-m += drivers/ntb/ drivers/pci/switch/
obj-m += ntb_netdev.o
ntb_netdev-y := drivers/net/ntb_netdev.o
"""

BUILD = """
cd /ntb
make -C /lib/modules/{release}/build M=/ntb -j"$(nproc)" modules
make -C /lib/modules/{release}/build M=/ntb INSTALL_MOD_PATH=/out INSTALL_MOD_STRIP=1 \
\tDEPMOD=true modules_install
"""

# What modules of others are linked with, kept beside the modules.
SYMVERS = "Module.symvers"
RECIPE = cache.hashlib.sha256(repr((KBUILD, BUILD, STOCK, NTB, SYMVERS)).encode()).hexdigest()[:8]


def _release(apt, version, series):
    """(release name, package version) of the newest kernel of a series in its suite."""
    suite = KERNELS[series]
    for name in apt.depends("linux-image-amd64", version):
        found = re.fullmatch(r"linux-image-(\d.*-amd64)", name)
        if found:
            return found.group(1)
    raise KitError(f"linux-image-amd64 {version} of {suite} names no kernel image")


def _image_packages(apt, release, suite, folder):
    """The packages with the kernel and its modules, downloaded into @folder."""
    names = [f"linux-image-{release}"]
    extra = apt.depends(names[0], apt.version(names[0], suite))
    names += [name for name in extra if name in (f"linux-binary-{release}",
                                                 f"linux-modules-{release}")]
    return apt.download(names, folder, suite, resolve=False)


def _get_image(apt, release, suite, top):
    """Unpack kernel, configuration and the stock modules that guests use."""
    debs = top / ".image"
    tree = top / ".imageroot"
    for deb in _image_packages(apt, release, suite, debs):
        debian.unpack_some(deb, tree, ("vmlinuz*", "config-*", "modules.builtin*",
                                       "modules.order", *[f"{name}.ko*" for name in STOCK]))
    kernels = [path for path in tree.rglob("vmlinuz*") if path.is_file()]
    if len(kernels) != 1:
        raise KitError(f"package linux-image-{release}: expected one vmlinuz, saw {kernels}")
    shutil.copy(kernels[0], top / "vmlinuz")
    (found,) = tree.glob(f"**/lib/modules/{release}")
    shutil.copytree(found, top / f"modules/{release}")
    shutil.rmtree(tree)
    shutil.rmtree(debs)


def all_modules(series):
    """{name: file} of every module of a stock kernel, for what others need of it; 100 MB that are fetched when asked for."""
    (found,) = (prepare(series) / "modules").iterdir()
    kind = f"all-modules-{series}"
    name = f"all-modules-{found.name}"
    with cache.locked(kind):
        top = cache.recall(kind)
        if top is None or top.name != name:
            apt = debian.prepare_lists()
            say(f"fetching all modules of kernel {found.name}")
            with cache.building(name, {"release": found.name}) as temp:
                for deb in _image_packages(apt, found.name, KERNELS[series], temp / ".image"):
                    debian.unpack_some(deb, temp, ("*.ko*",))
                shutil.rmtree(temp / ".image")
            cache.remember(kind, name)
            top = cache.recall(kind)
    return {modfile.stem(path): path for path in top.rglob("*.ko*")}


def _compile(builder, release, top, image):
    """Build the modules; when the image is there, put them beside its own."""
    root = builder / "root"
    with kbuild.folders(root / "ntb", root / "out") as (place, out):
        shutil.copytree(root / kbuild.SOURCE, place, dirs_exist_ok=True)
        (place / "Kbuild").write_text(KBUILD, encoding="ascii")
        text = debian.run_inside(root, BUILD.format(release=release))
        image.result()
        (top / "build.log").write_text(text, encoding="utf-8")
        modules = top / "modules" / release
        (modules / "updates").mkdir()
        for path in sorted((out / f"lib/modules/{release}/updates").rglob("*.ko*")):
            shutil.copy(path, modules / "updates" / path.name)
        missing = {f for f in NTB if not list((modules / "updates").glob(f"{f}.ko*"))}
        if missing:
            raise KitError(f"the build left no {', '.join(sorted(missing))}; {text[-2000:]}")
        shutil.copy(place / "tools/testing/selftests/ntb/ntb_test.sh", top / "ntb_test.sh")
        shutil.copy(place / SYMVERS, top / SYMVERS)
    kbuild.index(builder, top / "modules", release)


def _build(series, kind):
    apt = debian.prepare_lists()
    suite = KERNELS[series]
    version = apt.version("linux-image-amd64", suite)
    release = _release(apt, version, series)
    if not release.startswith(series + "."):
        raise KitError(f"{suite} has kernel {release}, not a {series} one")
    name = f"kernel-{release}-{RECIPE}"
    say(f"preparing kernel {release} and its NTB modules from {suite}")
    facts = {"release": release, "series": series, "version": version}
    with cache.building(name, facts) as top, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        image = pool.submit(_get_image, apt, release, suite, top)
        builder = kbuild.prepare(series, release, suite)
        with cache.locked(f"kbuild-{series}"):
            _compile(builder, release, top, image)
    cache.remember(kind, name)


def prepare(series="6.12", full=False):
    """The folder of a stock kernel: vmlinuz, modules/RELEASE, ntb_test.sh, Module.symvers.

    A series of the module source is a kernel with our series, which is built if need be.
    """
    if series in source.KINDS:
        return source.prepare(series, full)
    if series not in KERNELS:
        raise KitError(f"no stock kernel {series}: choose {' or '.join(KERNELS)}")
    kind = f"kernel-{series}"
    with cache.locked(kind):
        top = cache.recall(kind, full)
        if top is None or not top.name.endswith(RECIPE):
            _build(series, kind)
            top = cache.recall(kind)
    return top


def release_of(image):
    """What `uname -r` will say of a bzImage, or None if @image is something else.

    Linux Documentation/arch/x86/boot.rst, "kernel_version".
    """
    try:
        with open(image, "rb") as handle:
            head = handle.read(0x8000)
    except OSError as error:
        raise KitError(f"{image}: cannot be read: {error.strerror}") from error
    if head[0x202:0x206] != b"HdrS":
        return None
    start = int.from_bytes(head[0x20e:0x210], "little")
    words = head[start + 0x200:].split(b"\0", 1)[0].decode(errors="replace").split() if start else []
    return words[0] if words else None
