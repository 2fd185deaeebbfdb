/* SPDX-License-Identifier: MIT */
#include "testing.h"
#include "text.h"

#include <stdlib.h>

/* Bytes of a literal, NULs included. */
#define RUN_OF(literal)                                                                            \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define BYTES(literal) ((struct canceld_bytes) RUN_OF(literal))

static void check_put(void (*put)(FILE *out, struct canceld_bytes bytes),
                      struct canceld_bytes bytes, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    CHECK(out != NULL);
    put(out, bytes);
    CHECK_EQ(fclose(out), 0);
    CHECK_STR_EQ(text, expected);
    free(text);
}

static void keys_are_printed_with_c_escapes(void)
{
    static const struct {
        struct canceld_bytes bytes;
        const char *text;
    } rows[] = {
        {RUN_OF("chat-42"), "chat-42"},
        {RUN_OF("a\nb\tc"), "a\\nb\\tc"},
        {RUN_OF("\a\b\v\f\r"), "\\a\\b\\v\\f\\r"},
        {RUN_OF("a\\b\"c"), "a\\\\b\\\"c"},
        {RUN_OF("\0"
                "1\x7f"),
         "\\0001\\177"},
        {RUN_OF("\x1b[31m"), "\\033[31m"},
        {RUN_OF("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f"},
        {RUN_OF("\xf0\x9f\x9b\x91"), "\xf0\x9f\x9b\x91"},
        {RUN_OF("\xff\xc3"), "\\377\\303"},
        {RUN_OF("\xc2\x9b"), "\\302\\233"},          /* a control character of C1 */
        {RUN_OF("\xc0\xaf"), "\\300\\257"},          /* overlong */
        {RUN_OF("\xed\xa0\x80"), "\\355\\240\\200"}, /* a surrogate */
        {RUN_OF("two words"), "\"two words\""},
        {RUN_OF("a=b"), "\"a=b\""},
        {RUN_OF(""), "\"\""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_put(text_put_escaped, rows[i].bytes, rows[i].text);
    }
}

static void utf8_is_told_from_other_bytes(void)
{
    CHECK(text_is_utf8(BYTES("")));
    CHECK(text_is_utf8(BYTES("a\0\n")));
    CHECK(text_is_utf8(BYTES("\xf4\x8f\xbf\xbf")));
    CHECK(!text_is_utf8(BYTES("\xf4\x90\x80\x80")));
    CHECK(!text_is_utf8(BYTES("\xe2\x82")));
    CHECK(!text_is_utf8(BYTES("\x80")));
    CHECK(!text_is_utf8(BYTES("\xe0\x80\x80")));
    CHECK(!text_is_utf8(BYTES("\xed\xbf\xbf")));
}

static void json_strings_escape_what_json_must(void)
{
    check_put(text_put_json, BYTES("a\"b\\c"), "\"a\\\"b\\\\c\"");
    check_put(text_put_json, BYTES("\0\n\x1f\x7f"), "\"\\u0000\\u000a\\u001f\\u007f\"");
    check_put(text_put_json, BYTES("\xc3\xbc"), "\"\xc3\xbc\"");
    check_put(text_put_json, BYTES(""), "\"\"");
}

static void base64_is_that_of_the_rfc(void)
{
    check_put(text_put_base64, BYTES(""), "\"\"");
    check_put(text_put_base64, BYTES("f"), "\"Zg==\"");
    check_put(text_put_base64, BYTES("fo"), "\"Zm8=\"");
    check_put(text_put_base64, BYTES("foo"), "\"Zm9v\"");
    check_put(text_put_base64, BYTES("foobar"), "\"Zm9vYmFy\"");
    check_put(text_put_base64, BYTES("\xff\xfe\xfd\x00"), "\"//79AA==\"");
}

static const struct test_case cases[] = {
    {"keys are printed with C escapes", keys_are_printed_with_c_escapes},
    {"UTF-8 is told from other bytes", utf8_is_told_from_other_bytes},
    {"JSON strings escape what JSON must", json_strings_escape_what_json_must},
    {"base64 is that of the RFC", base64_is_that_of_the_rfc},
};
TEST_MAIN(cases)
