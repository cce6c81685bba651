# SPDX-License-Identifier: GPL-2.0-only
"""NTB: Add KUnit tests for the MSI library

They need neither a bridge nor two hosts: the NTB device and the MSI
parent domain of its PCI function are made up, and the library's
interrupts are allocated in a real device MSI domain between them.

What is looked at: where the windows go and how large they are, offset 0,
messages which a peer cannot reach, all 64 interrupts and no 65th,
freeing without reuse, changed messages which are noted with interrupts
disabled and passed on in process context, ntb_clear_ctx() which waits
for that, triggers outside of a window, and failures which leave nothing
behind.

Mapping the peers' windows becomes two functions which the tests replace,
as the mapping is not there without hardware. They also replace what the
size of a window depends on the architecture for.

  ./tools/testing/kunit/kunit.py run --kunitconfig=drivers/ntb
"""

MSI = "drivers/ntb/msi.c"
HEADER = "drivers/ntb/msi.h"
TEST = "drivers/ntb/test"

MAPPING = """\
/* Replaced by the tests, which have no hardware */

VISIBLE_IF_KUNIT void __iomem *ntb_msi_map_peer(phys_addr_t addr, resource_size_t size)
{
	KUNIT_STATIC_STUB_REDIRECT(ntb_msi_map_peer, addr, size);

	return ioremap(addr, size);
}
EXPORT_SYMBOL_IF_KUNIT(ntb_msi_map_peer);

VISIBLE_IF_KUNIT void ntb_msi_unmap_peer(void __iomem *base)
{
	KUNIT_STATIC_STUB_REDIRECT(ntb_msi_unmap_peer, base);

	iounmap(base);
}
EXPORT_SYMBOL_IF_KUNIT(ntb_msi_unmap_peer);

"""

DECLARATIONS = """\
#if IS_ENABLED(CONFIG_KUNIT)
void __iomem *ntb_msi_map_peer(phys_addr_t addr, resource_size_t size);
void ntb_msi_unmap_peer(void __iomem *base);
resource_size_t ntb_msi_window_size(void);
#endif

"""

OPTION = """\

config NTB_MSI_KUNIT_TEST
	tristate "KUnit tests for the NTB MSI library" if !KUNIT_ALL_TESTS
	depends on NTB_MSI && KUNIT
	default KUNIT_ALL_TESTS
	help
	  This builds unit tests for the NTB MSI library. They run at boot, or
	  when the module is loaded, and need no NTB hardware.

	  For more information on KUnit and unit tests in general, please refer
	  to the KUnit documentation in Documentation/dev-tools/kunit/.

	  If unsure, say N.
"""


def edit(tree):
    """The changes of this commit."""
    tree.replace(MSI, r"ioremap\(", "ntb_msi_map_peer(")
    tree.replace(MSI, r"iounmap\(", "ntb_msi_unmap_peer(", count=2)
    tree.after(MSI, "#include <linux/workqueue.h>",
               "\n#include <kunit/static_stub.h>\n#include <kunit/visibility.h>\n")
    tree.replace(MSI, r"^static (resource_size_t ntb_msi_window_size\(void\)\n\{\n)",
                 r"VISIBLE_IF_KUNIT \1\tKUNIT_STATIC_STUB_REDIRECT(ntb_msi_window_size);\n\n")
    tree.replace(MSI, r"^\}\n\n(?=static u64 ntb_msi_msg_addr\()",
                 "}\nEXPORT_SYMBOL_IF_KUNIT(ntb_msi_window_size);\n\n" + MAPPING)
    tree.create("drivers/ntb/.kunitconfig")
    tree.before(HEADER, r"#endif /\* _NTB_MSI_H \*/", DECLARATIONS)
    tree.create(f"{TEST}/ntb_msi_kunit.c")
    tree.append(f"{TEST}/Kconfig", OPTION)
    tree.append(f"{TEST}/Makefile", "obj-$(CONFIG_NTB_MSI_KUNIT_TEST) += ntb_msi_kunit.o\n")
