/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <string.h>

static const uint8_t *start_of(struct canceld_bytes bytes)
{
    return bytes.data;
}

size_t text_sequence(const uint8_t *p, size_t left, uint32_t *point_out)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = p[0] < 0x80         ? 1
                  : (p[0] >> 5) == 6  ? 2
                  : (p[0] >> 4) == 14 ? 3
                  : (p[0] >> 3) == 30 ? 4
                                      : 0;
    uint32_t point;

    if (size == 0 || size > left) {
        return 0;
    }
    point = size == 1 ? p[0] : p[0] & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (p[i] & 0x3fU);
    }
    if (point < lowest[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
        return 0;
    }
    *point_out = point;
    return size;
}

bool text_is_utf8(struct canceld_bytes bytes)
{
    const uint8_t *p = start_of(bytes);
    uint32_t point;
    size_t size;

    for (size_t i = 0; i < bytes.size; i += size) {
        size = text_sequence(p + i, bytes.size - i, &point);
        if (size == 0) {
            return false;
        }
    }
    return true;
}

/* ---- for people ---- */

static void put_escape(FILE *out, uint8_t byte)
{
    static const char named[] = "\aa\bb\tt\nn\vv\ff\rr\\\\\"\"";

    for (size_t i = 0; named[i] != '\0'; i += 2) {
        if ((uint8_t) named[i] == byte) {
            (void) fprintf(out, "\\%c", named[i + 1]);
            return;
        }
    }
    (void) fprintf(out, "\\%03o", (unsigned) byte);
}

static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

static bool needs_quotes(struct canceld_bytes bytes)
{
    return bytes.size == 0 || memchr(bytes.data, ' ', bytes.size) != NULL ||
           memchr(bytes.data, '=', bytes.size) != NULL;
}

void text_put_escaped(FILE *out, struct canceld_bytes bytes)
{
    const uint8_t *p = start_of(bytes);
    const char *quote = needs_quotes(bytes) ? "\"" : "";

    (void) fputs(quote, out);
    for (size_t i = 0; i < bytes.size;) {
        uint32_t point;
        size_t size = text_sequence(p + i, bytes.size - i, &point);

        if (size == 0 || is_control(point) || point == '\\' || point == '"') {
            /* A control character of two bytes is escaped byte by byte: its second is none of a
             * beginning. */
            put_escape(out, p[i]);
            i++;
            continue;
        }
        (void) fwrite(p + i, 1, size, out);
        i += size;
    }
    (void) fputs(quote, out);
}

/* ---- for JSON ---- */

void text_put_json(FILE *out, struct canceld_bytes bytes)
{
    const uint8_t *p = start_of(bytes);

    (void) fputc('"', out);
    for (size_t i = 0; i < bytes.size; i++) {
        if (p[i] == '"' || p[i] == '\\') {
            (void) fprintf(out, "\\%c", p[i]);
        } else if (p[i] < 0x20 || p[i] == 0x7f) {
            (void) fprintf(out, "\\u%04x", (unsigned) p[i]);
        } else {
            (void) fputc(p[i], out);
        }
    }
    (void) fputc('"', out);
}

void text_put_base64(FILE *out, struct canceld_bytes bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = start_of(bytes);

    (void) fputc('"', out);
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t group = (uint32_t) p[i] << 16 | (left > 1 ? (uint32_t) p[i + 1] << 8 : 0) |
                         (left > 2 ? (uint32_t) p[i + 2] : 0);

        (void) fputc(alphabet[group >> 18], out);
        (void) fputc(alphabet[group >> 12 & 63], out);
        (void) fputc(left > 1 ? alphabet[group >> 6 & 63] : '=', out);
        (void) fputc(left > 2 ? alphabet[group & 63] : '=', out);
    }
    (void) fputc('"', out);
}
