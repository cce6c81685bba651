// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Descriptions: what they mean, and what a wrong one is told, word by word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fabric/topology.h"

static struct ontb_topology topo;
static char why[256];

static void good(const char *text)
{
	if (ontb_topology_parse(text, why, sizeof(why), &topo))
		fail_msg("%s", why);
	assert_string_equal(why, "");
}

static void bad(const char *text, const char *expected)
{
	assert_int_equal(ontb_topology_parse(text, why, sizeof(why), &topo), -EINVAL);
	assert_string_equal(why, expected);
}

static void defaults_are_filled_in(void **state)
{
	(void)state;
	good("host a");
	assert_int_equal(topo.nr_hosts, 1);
	assert_string_equal(topo.hosts[0].name, "a");
	assert_int_equal(topo.hosts[0].nr_cpus, 2);
	assert_int_equal(topo.hosts[0].ram_size, 64 << 20);
	assert_false(topo.hosts[0].remap);
	assert_int_equal(topo.nr_bridges, 0);
	good("host a; host b; bridge switchtec a b; endpoint exerciser a");
	assert_int_equal(topo.nr_bridges, 1);
	assert_int_equal(topo.bridges[0].nr_ports, 2);
	assert_int_equal(topo.bridges[0].nr_vectors, 4);
	assert_int_equal(topo.bridges[0].nr_luts, 32);
	assert_int_equal(topo.bridges[0].bar2_size, 4 << 20);
	assert_int_equal(topo.bridges[0].bar4_size, 2 << 20);
	assert_int_equal(topo.endpoints[0].nr_msi, 4);
	assert_int_equal(topo.endpoints[0].nr_msix, 16);
}

static void all_options_are_read(void **state)
{
	(void)state;
	good("# a comment; with a semicolon\n"
	     "\thost  left cpus=4 ram=128M remap=on # another\r\n"
	     "\n;;host right-2 ram=4096K remap=off cpus=256;\n"
	     "bridge switchtec left right-2 - - vectors=64 luts=512 bar2=64M bar4=64K\n"
	     "bridge switchtec right-2 left\n"
	     "endpoint exerciser right-2 msi=0 msix=2048\n"
	     "way 0 1 delay=200us jitter=50 drop=3\n"
	     "way 1 0 delay=1s\n");
	assert_int_equal(topo.nr_hosts, 2);
	assert_string_equal(topo.hosts[0].name, "left");
	assert_int_equal(topo.hosts[0].nr_cpus, 4);
	assert_int_equal(topo.hosts[0].ram_size, 128 << 20);
	assert_true(topo.hosts[0].remap);
	assert_int_equal(topo.hosts[1].ram_size, 4 << 20);
	assert_int_equal(topo.hosts[1].nr_cpus, 256);
	assert_false(topo.hosts[1].remap);
	assert_int_equal(topo.hosts[1].nr_funcs, 3);
	assert_int_equal(topo.nr_bridges, 2);
	assert_int_equal(topo.bridges[0].nr_ports, 4);
	assert_int_equal(topo.bridges[0].hosts[0], 0);
	assert_int_equal(topo.bridges[0].hosts[1], 1);
	assert_int_equal(topo.bridges[0].hosts[2], ONTB_TOPO_NO_HOST);
	assert_int_equal(topo.bridges[0].hosts[3], ONTB_TOPO_NO_HOST);
	assert_int_equal(topo.bridges[0].nr_vectors, 64);
	assert_int_equal(topo.bridges[0].nr_luts, 512);
	assert_int_equal(topo.bridges[0].bar2_size, 64 << 20);
	assert_int_equal(topo.bridges[0].bar4_size, 64 << 10);
	assert_int_equal(topo.bridges[1].hosts[0], 1);
	assert_int_equal(topo.endpoints[0].host, 1);
	assert_int_equal(topo.endpoints[0].nr_msi, 0);
	assert_int_equal(topo.endpoints[0].nr_msix, 2048);
	assert_int_equal(topo.bridges[0].ways[1].delay_ns, 200000);
	assert_int_equal(topo.bridges[0].ways[1].jitter_ns, 50);
	assert_int_equal(topo.bridges[0].ways[1].drop_every, 3);
	assert_int_equal(topo.bridges[0].ways[0].delay_ns, 0);
	assert_int_equal(topo.bridges[1].ways[0].delay_ns, 1000000000);
}

static void table_of_look_up_windows_makes_its_bar_larger(void **state)
{
	(void)state;
	good("host a; bridge switchtec a - luts=128");
	assert_int_equal(topo.bridges[0].bar2_size, 16 << 20);
	bad("host a; bridge switchtec a - luts=128 bar2=8M",
	    "line 1: bar2= must be at least 16M with 128 look-up table windows");
}

static void wrong_statement_is_named(void **state)
{
	(void)state;
	bad("", "line 1: there is no host");
	bad("\n# nothing\n", "line 3: there is no host");
	bad("host a\nhsot b",
	    "line 2: word \"hsot\": a statement begins with \"host\", \"bridge\", \"endpoint\" or \"way\"");
	bad("host a\n\n;bridge", "line 3: \"bridge\" needs a model: \"switchtec\"");
	bad("host a;bridge plx a a", "line 1: model \"plx\": must be \"switchtec\"");
	bad("host a;endpoint exerciser", "line 1: \"endpoint\" needs a model (\"exerciser\") and a host");
	bad("host a;endpoint edu a", "line 1: model \"edu\": must be \"exerciser\"");
	bad("host a;way 0", "line 1: \"way\" needs the number of a bridge and of a port");
	bad("host \x01", "line 1: character 0x01: only printable ASCII is allowed");
	bad("host a\nhost \xc3\xa4", "line 2: character 0xc3: only printable ASCII is allowed");
	bad("host aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg",
	    "line 1: word \"aaaaaaaaaabbbbbb...\" is longer than 63 characters");
}

static void wrong_host_is_named(void **state)
{
	(void)state;
	bad("host", "line 1: \"host\" needs a name");
	bad("host 1a", "line 1: name \"1a\": must be a letter, then letters, digits, \"-\" and \"_\", at most 31");
	bad("host a.b", "line 1: name \"a.b\": must be a letter, then letters, digits, \"-\" and \"_\", at most 31");
	good("host abcdefghijklmnopqrstuvwxyz12345");
	bad("host abcdefghijklmnopqrstuvwxyz123456", "line 1: name \"abcdefghijklmnopqrstuvwxyz123456\": must be a "
						     "letter, then letters, digits, \"-\" and \"_\", at "
						     "most 31");
	bad("host a\nhost a", "line 2: there is a host \"a\" already");
	bad("host a cpu=1", "line 1: word \"cpu=1\": an option of \"host\" is cpus=, ram= or remap=");
	bad("host a cpus", "line 1: word \"cpus\": an option of \"host\" is cpus=, ram= or remap=");
	bad("host a =1", "line 1: word \"=1\": an option of \"host\" is cpus=, ram= or remap=");
	bad("host a cpus=1 cpus=1", "line 1: cpus= is given twice");
	bad("host a remap=yes", "line 1: remap=yes: must be \"on\" or \"off\"");
}

static void numbers_have_limits(void **state)
{
	(void)state;
	bad("host a cpus=0", "line 1: cpus=0: must be a number from 1 to 256");
	good("host a cpus=1");
	good("host a cpus=256");
	bad("host a cpus=257", "line 1: cpus=257: must be a number from 1 to 256");
	bad("host a cpus=", "line 1: cpus=: must be a number from 1 to 256");
	bad("host a cpus=-1", "line 1: cpus=-1: must be a number from 1 to 256");
	bad("host a cpus=2x", "line 1: cpus=2x: must be a number from 1 to 256");
	bad("host a cpus=18446744073709551617", "line 1: cpus=18446744073709551617: must be a number from 1 to 256");
	bad("host a ram=1023K", "line 1: ram=1023K: must be a size from 1M to 2G, a multiple of 4K");
	good("host a ram=1M");
	good("host a ram=2G");
	bad("host a ram=2147487744", "line 1: ram=2147487744: must be a size from 1M to 2G, a multiple of 4K");
	bad("host a ram=1048577", "line 1: ram=1048577: must be a size from 1M to 2G, a multiple of 4K");
	bad("host a ram=64m", "line 1: ram=64m: must be a size from 1M to 2G, a multiple of 4K");
	bad("host a ram=1MM", "line 1: ram=1MM: must be a size from 1M to 2G, a multiple of 4K");
	bad("host a ram=17179869185G", "line 1: ram=17179869185G: must be a size from 1M to 2G, a multiple of 4K");
	bad("host a; bridge switchtec a - vectors=2", "line 1: vectors=2: must be a number from 3 to 64");
	good("host a; bridge switchtec a - vectors=3");
	bad("host a; bridge switchtec a - vectors=65", "line 1: vectors=65: must be a number from 3 to 64");
	bad("host a; bridge switchtec a - luts=3", "line 1: luts=3: must be a power of two from 2 to 512");
	bad("host a; bridge switchtec a - luts=0", "line 1: luts=0: must be a power of two from 2 to 512");
	bad("host a; bridge switchtec a - luts=1024", "line 1: luts=1024: must be a power of two from 2 to 512");
	bad("host a; bridge switchtec a - bar4=3M", "line 1: bar4=3M: must be a size from 64K to 64G, a power of two");
	bad("host a; bridge switchtec a - bar4=32K",
	    "line 1: bar4=32K: must be a size from 64K to 64G, a power of two");
	good("host a; bridge switchtec a - bar4=64G");
	bad("host a; bridge switchtec a - bar4=128G",
	    "line 1: bar4=128G: must be a size from 64K to 64G, a power of two");
	bad("host a; endpoint exerciser a msi=3", "line 1: msi=3: must be 0 or a power of two from 1 to 32");
	bad("host a; endpoint exerciser a msi=64", "line 1: msi=64: must be 0 or a power of two from 1 to 32");
	bad("host a; endpoint exerciser a msix=2049", "line 1: msix=2049: must be a number from 0 to 2048");
	bad("host a; endpoint exerciser a msix=0 msi=0", "line 1: msi=0 and msix=0: one of them must not be 0");
}

static void wrong_bridge_is_named(void **state)
{
	(void)state;
	bad("host a; bridge switchtec a",
	    "line 1: 1 ports: must be an even number from 2 to 48; each is a host or \"-\", ports come in pairs");
	bad("host a; bridge switchtec",
	    "line 1: 0 ports: must be an even number from 2 to 48; each is a host or \"-\", ports come in pairs");
	bad("host a; bridge switchtec a b", "line 1: there is no host \"b\" above this line");
	bad("bridge switchtec a b; host a; host b", "line 1: there is no host \"a\" above this line");
	bad("host a; bridge switchtec a a lutz=1",
	    "line 1: word \"lutz=1\": an option of \"bridge\" is vectors=, luts=, bar2= or bar4=");
	bad("host a; bridge switchtec a - vectors=4 -",
	    "line 1: word \"-\": an option of \"bridge\" is vectors=, luts=, bar2= or bar4=");
	bad("host a; endpoint exerciser b", "line 1: there is no host \"b\" above this line");
}

static void wrong_way_is_named(void **state)
{
	(void)state;
	bad("host a; way 0 0", "line 1: there is no bridge \"0\" above this line: they count from 0");
	bad("host a; bridge switchtec a -; way x 0",
	    "line 1: there is no bridge \"x\" above this line: they count from 0");
	bad("host a; bridge switchtec a -; way 0 2",
	    "line 1: bridge 0 has no port \"2\" with a host: they count from 0");
	bad("host a; bridge switchtec a -; way 0 1",
	    "line 1: bridge 0 has no port \"1\" with a host: they count from 0");
	bad("host a; bridge switchtec a -; way 0 0 delay=1h",
	    "line 1: delay=1h: must be a time up to 60s, such as 500, 20us or 3ms");
	bad("host a; bridge switchtec a -; way 0 0 delay=61s",
	    "line 1: delay=61s: must be a time up to 60s, such as 500, 20us or 3ms");
	good("host a; bridge switchtec a -; way 0 0 delay=60s");
}

static void more_than_fits_is_refused(void **state)
{
	char text[16384];
	size_t len = 0;

	(void)state;
	for (unsigned int i = 0; i <= ONTB_TOPO_MAX_HOSTS; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "host h%u\n", i);
	bad(text, "line 33: more than 32 hosts");
	len = (size_t)snprintf(text, sizeof(text), "host a\n");
	for (unsigned int i = 0; i <= ONTB_TOPO_MAX_BRIDGES; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "bridge switchtec - -\n");
	bad(text, "line 18: more than 16 bridges");
	len = (size_t)snprintf(text, sizeof(text), "host a\n");
	for (unsigned int i = 0; i <= ONTB_TOPO_MAX_FUNCS; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "endpoint exerciser a\n");
	bad(text, "line 32: host \"a\" has more than 30 functions");
	len = (size_t)snprintf(text, sizeof(text), "host a\nbridge switchtec");
	for (unsigned int i = 0; i < ONTB_MAX_PORTS; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " -");
	good(text);
	len += (size_t)snprintf(text + len, sizeof(text) - len, " - -");
	bad(text, "line 2: more than 48 ports");
	for (unsigned int i = 0; i < 8; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " -");
	bad(text, "line 2: more than 56 words in a statement");
}

static void text_of_the_error_fits_where_it_goes(void **state)
{
	char small[12] = "xxxxxxxxxxx";

	(void)state;
	assert_int_equal(ontb_topology_parse("host a cpus=0", small, sizeof(small), &topo), -EINVAL);
	assert_string_equal(small, "line 1: cpu");
	assert_int_equal(ontb_topology_parse("host a cpus=0", small, 4, &topo), -EINVAL);
	assert_string_equal(small, "lin");
	assert_int_equal(ontb_topology_parse("host a cpus=0", NULL, 0, &topo), -EINVAL);
	assert_int_equal(ontb_topology_parse("host a", NULL, 0, &topo), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_filled_in),
		cmocka_unit_test(all_options_are_read),
		cmocka_unit_test(table_of_look_up_windows_makes_its_bar_larger),
		cmocka_unit_test(wrong_statement_is_named),
		cmocka_unit_test(wrong_host_is_named),
		cmocka_unit_test(numbers_have_limits),
		cmocka_unit_test(wrong_bridge_is_named),
		cmocka_unit_test(wrong_way_is_named),
		cmocka_unit_test(more_than_fits_is_refused),
		cmocka_unit_test(text_of_the_error_fits_where_it_goes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
