#ifndef CPNG_H
#define CPNG_H

#include <stddef.h>
#include <stdint.h>

// A plain C face for libpng and for zlib's gzip reader. libpng reports errors by longjmp, which must not cross Swift frames;
// here every function returns a status, and a message where something went wrong. Nothing exits or aborts.

#ifdef __cplusplus
extern "C" {
#endif

/// 0 is success; everything else comes with text in the message buffer.
typedef enum { cpng_ok = 0, cpng_failed = 1 } cpng_status;

/// One text chunk. `key` is Latin-1; `text` is UTF-8 when `is_utf8` is set, Latin-1 otherwise. Both are NUL-terminated as well.
typedef struct {
  char *key;
  char *text;
  size_t text_length;
  int is_utf8;
} cpng_text;

/// Upper bounds for a picture that comes from outside. All must be positive.
typedef struct {
  uint32_t max_width;
  uint32_t max_height;
  uint64_t max_pixels;
  size_t max_chunk_bytes;  // for one decompressed ancillary chunk
  uint32_t max_chunks;     // stored ancillary chunks
} cpng_limits;

/// A decoded picture: `width * height * 4` bytes of RGBA, rows from the top. Freed by cpng_image_free.
typedef struct {
  uint32_t width;
  uint32_t height;
  int has_alpha;  // whether the file itself had an alpha channel or a transparent colour
  uint8_t *pixels;
  cpng_text *texts;
  size_t text_count;
} cpng_image;

/// Decodes a PNG of any colour type and depth to RGBA8. On failure `image` is left empty.
cpng_status cpng_read(const uint8_t *bytes, size_t length, const cpng_limits *limits, cpng_image *image, char *message,
                      size_t message_size);

void cpng_image_free(cpng_image *image);

/// Encodes RGB8 (3 channels) or RGBA8 (4 channels) rows. `*out` is freed by cpng_bytes_free.
/// Texts marked `is_utf8` become iTXt chunks, the others tEXt.
cpng_status cpng_write(const uint8_t *pixels, uint32_t width, uint32_t height, int channels, const cpng_text *texts,
                       size_t text_count, int compression_level, uint8_t **out, size_t *out_length, char *message,
                       size_t message_size);

/// Decompresses a whole gzip buffer (several members may follow each other). Fails if more than `limit` bytes come out.
cpng_status cpng_gunzip(const uint8_t *bytes, size_t length, size_t limit, uint8_t **out, size_t *out_length, char *message,
                        size_t message_size);

void cpng_bytes_free(uint8_t *bytes);

#ifdef __cplusplus
}
#endif

#endif
