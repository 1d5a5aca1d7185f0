#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CPNG.h"

// Everything that must survive a longjmp lives here, not in locals of the function that called setjmp.
typedef struct {
  const uint8_t *bytes;
  size_t length;
  size_t position;
  png_structp png;
  png_infop info;
  png_bytepp rows;
  cpng_image *image;
  const cpng_limits *limits;
  char *message;
  size_t message_size;
} reader;

static void on_error(png_structp png, png_const_charp text) {
  reader *state = png_get_error_ptr(png);
  snprintf(state->message, state->message_size, "%s", text);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void on_read(png_structp png, png_bytep target, size_t count) {
  reader *state = png_get_io_ptr(png);
  if (count > state->length - state->position) png_error(png, "the data ends too early");
  memcpy(target, state->bytes + state->position, count);
  state->position += count;
}

static void check_size(reader *state, png_uint_32 width, png_uint_32 height) {
  if ((uint64_t)width * (uint64_t)height <= state->limits->max_pixels) return;
  char text[120];
  snprintf(text, sizeof text, "%u x %u pixels are more than the limit of %llu", width, height,
           (unsigned long long)state->limits->max_pixels);
  png_error(state->png, text);
}

// Every colour type and depth becomes RGBA8. Gamma is left alone, as the common Python readers do.
static void ask_for_rgba8(reader *state) {
  png_structp png = state->png;
  int type = png_get_color_type(png, state->info);
  int transparent = png_get_valid(png, state->info, PNG_INFO_tRNS) != 0;
  state->image->has_alpha = transparent || (type & PNG_COLOR_MASK_ALPHA) != 0;
  png_set_expand(png);
  png_set_scale_16(png);
  png_set_gray_to_rgb(png);
  png_set_add_alpha(png, 0xFF, PNG_FILLER_AFTER);
  png_set_interlace_handling(png);
  png_read_update_info(png, state->info);
}

static void read_pixels(reader *state) {
  png_uint_32 width = png_get_image_width(state->png, state->info);
  png_uint_32 height = png_get_image_height(state->png, state->info);
  check_size(state, width, height);
  ask_for_rgba8(state);
  size_t row_bytes = (size_t)width * 4;
  if (png_get_rowbytes(state->png, state->info) != row_bytes) png_error(state->png, "unexpected row size");
  state->image->width = width;
  state->image->height = height;
  state->image->pixels = calloc(height, row_bytes);
  state->rows = calloc(height, sizeof(png_bytep));
  if (state->image->pixels == NULL || state->rows == NULL) png_error(state->png, "no memory for the pixels");
  for (png_uint_32 y = 0; y < height; ++y) state->rows[y] = state->image->pixels + y * row_bytes;
  png_read_image(state->png, state->rows);
  png_read_end(state->png, state->info);
}

static char *copy_of(const char *text, size_t length) {
  char *copy = malloc(length + 1);
  if (copy == NULL) return NULL;
  if (length > 0) memcpy(copy, text, length);
  copy[length] = 0;
  return copy;
}

static void read_texts(reader *state) {
  png_textp texts = NULL;
  int count = 0;
  png_get_text(state->png, state->info, &texts, &count);
  if (count <= 0) return;
  state->image->texts = calloc((size_t)count, sizeof(cpng_text));
  if (state->image->texts == NULL) png_error(state->png, "no memory for the text chunks");
  for (int i = 0; i < count; ++i) {
    int is_utf8 = texts[i].compression >= PNG_ITXT_COMPRESSION_NONE;
    size_t length = texts[i].text == NULL ? 0 : is_utf8 ? texts[i].itxt_length : texts[i].text_length;
    cpng_text *target = &state->image->texts[i];
    state->image->text_count = (size_t)i + 1;
    target->key = copy_of(texts[i].key, strlen(texts[i].key));
    target->text = copy_of(texts[i].text, length);
    target->text_length = length;
    target->is_utf8 = is_utf8;
    if (target->key == NULL || target->text == NULL) png_error(state->png, "no memory for the text chunks");
  }
}

static cpng_status run(reader *state) {
  if (setjmp(png_jmpbuf(state->png))) return cpng_failed;
  const cpng_limits *limits = state->limits;
  png_set_user_limits(state->png, limits->max_width, limits->max_height);
  png_set_chunk_malloc_max(state->png, limits->max_chunk_bytes);
  png_set_chunk_cache_max(state->png, limits->max_chunks);
  png_set_read_fn(state->png, state, on_read);
  png_read_info(state->png, state->info);
  read_pixels(state);
  read_texts(state);
  return cpng_ok;
}

cpng_status cpng_read(const uint8_t *bytes, size_t length, const cpng_limits *limits, cpng_image *image, char *message,
                      size_t message_size) {
  memset(image, 0, sizeof *image);
  if (length < 8 || png_sig_cmp(bytes, 0, 8) != 0) {
    snprintf(message, message_size, "the data does not start with the PNG signature");
    return cpng_failed;
  }
  reader state = {.bytes = bytes, .length = length, .image = image, .limits = limits};
  state.message = message;
  state.message_size = message_size;
  state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning);
  if (state.png != NULL) state.info = png_create_info_struct(state.png);
  cpng_status status = cpng_failed;
  if (state.info == NULL) {
    snprintf(message, message_size, "libpng could not be started");
  } else {
    status = run(&state);
  }
  free(state.rows);
  if (state.png != NULL) png_destroy_read_struct(&state.png, &state.info, NULL);
  if (status != cpng_ok) cpng_image_free(image);
  return status;
}

void cpng_image_free(cpng_image *image) {
  for (size_t i = 0; i < image->text_count; ++i) {
    free(image->texts[i].key);
    free(image->texts[i].text);
  }
  free(image->texts);
  free(image->pixels);
  memset(image, 0, sizeof *image);
}
