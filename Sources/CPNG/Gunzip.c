#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "CPNG.h"

typedef struct {
  uint8_t *bytes;
  size_t length;
  size_t capacity;
} buffer;

// Grows by half, never past limit + 1: the one spare byte tells "exactly full" from "too much".
static int make_room(buffer *out, size_t limit) {
  if (out->length < out->capacity) return 1;
  size_t most = limit + 1;
  size_t capacity = out->capacity + out->capacity / 2 + 65536;
  if (capacity > most || capacity < out->capacity) capacity = most;
  if (capacity == out->capacity) return 1;
  uint8_t *grown = realloc(out->bytes, capacity);
  if (grown == NULL) return 0;
  out->bytes = grown;
  out->capacity = capacity;
  return 1;
}

static const char *inflate_all(z_stream *stream, const uint8_t *bytes, size_t length, size_t limit, buffer *out) {
  const size_t piece = 1u << 30;  // zlib counts in 32 bits
  size_t position = 0;
  for (;;) {
    if (!make_room(out, limit)) return "no memory for the decompressed data";
    size_t feed = length - position < piece ? length - position : piece;
    size_t room = out->capacity - out->length < piece ? out->capacity - out->length : piece;
    stream->next_in = (Bytef *)(bytes + position);
    stream->avail_in = (uInt)feed;
    stream->next_out = out->bytes + out->length;
    stream->avail_out = (uInt)room;
    int code = inflate(stream, Z_NO_FLUSH);
    size_t used = feed - stream->avail_in;
    size_t made = room - stream->avail_out;
    position += used;
    out->length += made;
    if (out->length > limit) return "the decompressed data is larger than the limit";
    if (code == Z_STREAM_END) {
      if (position == length) return NULL;
      if (inflateReset(stream) != Z_OK) return "zlib could not be restarted";
      continue;
    }
    if (code != Z_OK && code != Z_BUF_ERROR) return stream->msg != NULL ? stream->msg : "the gzip data is damaged";
    if (used == 0 && made == 0) return "the gzip data ends too early";
  }
}

cpng_status cpng_gunzip(const uint8_t *bytes, size_t length, size_t limit, uint8_t **out, size_t *out_length, char *message,
                        size_t message_size) {
  *out = NULL;
  *out_length = 0;
  z_stream stream = {0};
  if (limit == SIZE_MAX || inflateInit2(&stream, 15 + 16) != Z_OK) {
    snprintf(message, message_size, "zlib could not be started");
    return cpng_failed;
  }
  buffer result = {0};
  const char *problem = inflate_all(&stream, bytes, length, limit, &result);
  if (problem != NULL) snprintf(message, message_size, "%s", problem);
  inflateEnd(&stream);
  if (problem != NULL) {
    free(result.bytes);
    return cpng_failed;
  }
  *out = result.bytes;
  *out_length = result.length;
  return cpng_ok;
}
