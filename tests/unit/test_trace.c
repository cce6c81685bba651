// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The trace file: JSON that a parser accepts, with what crossed the bridge in it.
 */
#include "hw_rig.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "base/clock.h"
#include "base/trace.h"
#include "hw/switchtec/regs.h"

static char path[] = "/tmp/openntb-trace-XXXXXX";

static int make_path(void **state)
{
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/openntb-trace-XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

static struct json_object *parse(void)
{
	struct json_object *root = json_object_from_file(path);

	assert_non_null(root);
	assert_int_equal(json_object_get_type(root), json_type_array);
	return root;
}

static struct json_object *get(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	(void)json_object_object_get_ex(object, key, &value);
	return value;
}

static const char *text_of(struct json_object *object, const char *key)
{
	const char *text = json_object_get_string(get(object, key));

	return text ? text : "";
}

/* The first event of a name at or after @at; NULL if none. */
static struct json_object *find(struct json_object *root, const char *category, const char *name, size_t *at)
{
	for (size_t i = *at; i < json_object_array_length(root); i++) {
		struct json_object *event = json_object_array_get_idx(root, i);

		if (strcmp(text_of(event, "cat"), category) || strcmp(text_of(event, "name"), name))
			continue;
		*at = i + 1;
		return event;
	}
	return NULL;
}

static void events_are_valid_json_with_all_their_values(void **state)
{
	struct ontb_trace *trace;
	struct json_object *root, *event;
	size_t at = 0;

	(void)state;
	assert_int_equal(ontb_trace_open(path, 2, &trace), 0);
	ontb_trace_emit(trace, &(struct ontb_trace_event){
				       .category = "wire",
				       .name = "odd \"name\" \\ \x01 \xff",
				       .port_idx = 1,
				       .start_ns = ontb_clock_ns(),
				       .end_ns = ontb_clock_ns() + 1500,
				       .args = { { .key = "a", .num = UINT64_MAX, .hex = true },
						 { .key = "b", .num = 42 },
						 { .key = "c", .text = "t\"x" },
						 { .key = "d", .num = 1 },
						 { .key = "e", .num = 2 },
						 { .key = "f", .num = 3 } },
			       });
	ontb_trace_emit(trace, &(struct ontb_trace_event){ .category = "link", .name = "up" });
	ontb_trace_flush(trace);
	ontb_trace_close(trace);
	root = parse();
	event = json_object_array_get_idx(root, 3);
	assert_string_equal(text_of(event, "ph"), "X");
	assert_int_equal(json_object_get_int(get(event, "tid")), 1);
	assert_true(json_object_get_double(get(event, "dur")) >= 1.5);
	assert_string_equal(text_of(get(event, "args"), "a"), "0xffffffffffffffff");
	assert_int_equal(json_object_get_int(get(get(event, "args"), "b")), 42);
	assert_string_equal(text_of(get(event, "args"), "c"), "t\"x");
	assert_int_equal(json_object_get_int(get(get(event, "args"), "f")), 3);
	assert_non_null(find(root, "link", "up", &at));
	assert_int_equal(json_object_put(root), 1);
}

static void open_fails_with_the_reason_and_leaves_out_alone(void **state)
{
	struct ontb_trace *const untouched = (struct ontb_trace *)0x1;
	struct ontb_trace *trace = untouched;

	(void)state;
	assert_int_equal(ontb_trace_open("/nonexistent/trace", 2, &trace), -ENOENT);
	assert_ptr_equal(trace, untouched);
	assert_int_equal(ontb_trace_open("/dev/full", 2, &trace), -ENOSPC);
	assert_ptr_equal(trace, untouched);
	ontb_trace_close(NULL);
	ontb_trace_flush(NULL);
}

static void *emit_many(void *arg)
{
	for (unsigned int i = 0; i < 500; i++)
		ontb_trace_emit(arg, &(struct ontb_trace_event){ .category = "dma", .name = "many" });
	return NULL;
}

static void events_of_several_threads_do_not_mix(void **state)
{
	struct json_object *root;
	struct ontb_trace *trace;
	pthread_t threads[4];
	unsigned int nr_events = 0;

	(void)state;
	assert_int_equal(ontb_trace_open(path, 2, &trace), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, emit_many, trace), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	ontb_trace_close(trace);
	root = parse();
	for (size_t at = 0; find(root, "dma", "many", &at);)
		nr_events++;
	assert_int_equal(nr_events, 2000);
	assert_int_equal(json_object_put(root), 1);
}

static void assert_event(struct json_object *root, const char *category, const char *name, unsigned int port,
			 const char *key, const char *value)
{
	size_t at = 0;

	for (;;) {
		struct json_object *event = find(root, category, name, &at);

		if (!event)
			break;
		if (json_object_get_int(get(event, "tid")) == (int)port &&
		    !strcmp(text_of(get(event, "args"), key), value))
			return;
	}
	fail_msg("no event %s/%s at port %u with %s=%s", category, name, port, key, value);
}

static void bridge_traces_what_crosses_it(void **state)
{
	struct ontb_switchtec_config config;
	struct json_object *root;
	struct rig rig;

	(void)state;
	ontb_switchtec_config_init(&config);
	assert_int_equal(ontb_trace_open(path, 2, &config.trace), 0);
	rig_open_config(&rig, &config);
	rig_setup_dbmsg(&rig, 0);
	rig_setup_dbmsg(&rig, 1);
	w64(&rig, 1, ontb_sw_dbmsg(1) + 0x1018, UINT64_MAX);
	rig_open_direct(&rig, 0, 4, 0xfee00000, 0x10000);
	rig_write(&rig, 1, 4, 0x18, 0x4041, 4);
	(void)rig_read(&rig, 1, 2, 0, 4);
	w64(&rig, 0, ontb_sw_dbmsg(0) + 0x1000, 1ULL << 33);
	w32(&rig, 0, ontb_sw_dbmsg(0) + 0x1068, 1);
	w32(&rig, 0, ontb_sw_dbmsg(0) + 0x1068, 3);
	rig_close(&rig);
	ontb_trace_close(config.trace);
	root = parse();
	assert_event(root, "config", "config+0x4", 0, "value", "0x6");
	assert_event(root, "register", "ctrl[1].bar[4].xlate", 0, "value", "0xfee00000");
	assert_event(root, "register", "dbmsg[0].odb", 0, "value", "0x200000000");
	assert_event(root, "register", "ctrl[1].partition_status", 0, "op", "read");
	assert_event(root, "lock", "locked", 0, "partition", "1");
	assert_event(root, "lock", "committed", 0, "partition", "1");
	assert_event(root, "window", "window write", 1, "addr", "0xfee00018");
	assert_event(root, "window", "window write", 1, "value", "0x4041");
	assert_event(root, "window", "window read", 1, "target", "none");
	assert_event(root, "doorbell", "doorbell", 1, "bits", "0x200000000");
	assert_event(root, "interrupt", "interrupt", 1, "vector", "1");
	assert_event(root, "interrupt", "interrupt", 1, "vector", "2");
	assert_event(root, "message", "message", 0, "to", "1");
	assert_event(root, "message", "message overwrites", 0, "value", "0x3");
	assert_event(root, "link", "driver ready", 0, "peer", "1");
	assert_event(root, "link", "driver gone", 0, "peer", "1");
	assert_int_equal(json_object_put(root), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(events_are_valid_json_with_all_their_values, make_path, remove_path),
		cmocka_unit_test(open_fails_with_the_reason_and_leaves_out_alone),
		cmocka_unit_test_setup_teardown(events_of_several_threads_do_not_mix, make_path, remove_path),
		cmocka_unit_test_setup_teardown(bridge_traces_what_crosses_it, make_path, remove_path),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
