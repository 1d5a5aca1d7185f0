#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CPNG.h"

// Everything that must survive a longjmp lives here, not in locals of the function that called setjmp.
typedef struct {
  png_structp png;
  png_infop info;
  png_textp texts;
  uint8_t *out;
  size_t length;
  size_t capacity;
  char *message;
  size_t message_size;
} writer;

typedef struct {
  const uint8_t *pixels;
  uint32_t width;
  uint32_t height;
  int channels;
  const cpng_text *texts;
  size_t text_count;
  int compression_level;
} picture;

static void on_error(png_structp png, png_const_charp text) {
  writer *state = png_get_error_ptr(png);
  snprintf(state->message, state->message_size, "%s", text);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void on_write(png_structp png, png_bytep bytes, size_t count) {
  writer *state = png_get_io_ptr(png);
  size_t needed = state->length + count;
  if (needed > state->capacity) {
    size_t capacity = needed + needed / 2 + 4096;
    uint8_t *grown = realloc(state->out, capacity);
    if (grown == NULL) png_error(png, "no memory for the encoded picture");
    state->out = grown;
    state->capacity = capacity;
  }
  memcpy(state->out + state->length, bytes, count);
  state->length = needed;
}

static void on_flush(png_structp png) { (void)png; }

static void set_texts(writer *state, const picture *source) {
  if (source->text_count == 0) return;
  state->texts = calloc(source->text_count, sizeof(png_text));
  if (state->texts == NULL) png_error(state->png, "no memory for the text chunks");
  for (size_t i = 0; i < source->text_count; ++i) {
    const cpng_text *text = &source->texts[i];
    png_text *target = &state->texts[i];
    target->compression = text->is_utf8 ? PNG_ITXT_COMPRESSION_NONE : PNG_TEXT_COMPRESSION_NONE;
    target->key = text->key;
    target->text = text->text;
    if (text->is_utf8) {
      target->itxt_length = text->text_length;
    } else {
      target->text_length = text->text_length;
    }
  }
  png_set_text(state->png, state->info, state->texts, (int)source->text_count);
}

static cpng_status run(writer *state, const picture *source) {
  if (setjmp(png_jmpbuf(state->png))) return cpng_failed;
  int type = source->channels == 4 ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB;
  png_set_user_limits(state->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_write_fn(state->png, state, on_write, on_flush);
  png_set_compression_level(state->png, source->compression_level);
  png_set_IHDR(state->png, state->info, source->width, source->height, 8, type, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  set_texts(state, source);
  png_write_info(state->png, state->info);
  size_t row_bytes = (size_t)source->width * (size_t)source->channels;
  for (uint32_t y = 0; y < source->height; ++y) png_write_row(state->png, source->pixels + y * row_bytes);
  png_write_end(state->png, state->info);
  return cpng_ok;
}

cpng_status cpng_write(const uint8_t *pixels, uint32_t width, uint32_t height, int channels, const cpng_text *texts,
                       size_t text_count, int compression_level, uint8_t **out, size_t *out_length, char *message,
                       size_t message_size) {
  *out = NULL;
  *out_length = 0;
  picture source = {pixels, width, height, channels, texts, text_count, compression_level};
  writer state = {.message = message, .message_size = message_size};
  state.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning);
  if (state.png != NULL) state.info = png_create_info_struct(state.png);
  cpng_status status = cpng_failed;
  if (state.info == NULL) {
    snprintf(message, message_size, "libpng could not be started");
  } else {
    status = run(&state, &source);
  }
  if (state.png != NULL) png_destroy_write_struct(&state.png, &state.info);
  free(state.texts);
  if (status == cpng_ok) {
    *out = state.out;
    *out_length = state.length;
  } else {
    free(state.out);
  }
  return status;
}

void cpng_bytes_free(uint8_t *bytes) { free(bytes); }
