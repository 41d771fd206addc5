"""The part of the C drawing that is written by hand: loops, spans, blur and grain."""

LANES = 16
"""Pixels computed at once: rows of a picture are padded to whole multiples of this."""

PRELUDE = (
    f"""
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define LANES {LANES}
static inline float least(float a, float b) {{ return a < b ? a : b; }}
static inline float most(float a, float b) {{ return a > b ? a : b; }}
"""
    + """
/* The pixels of each row that may lie in a box of a frame that is moved, turned and scaled: blocks
   from `start`, together `width` wide. A little is added to each side, for what rounding does. */
static __attribute__((noinline)) void spans(float x, float y, float cos, float sin,
    float left, float right, float top, float bottom, const float* restrict gy, int S, int P,
    int* restrict start, int* restrict width, int* restrict rows) {
  const float half = S * 0.5f, slop = 0.004f;
  left -= slop; right += slop; top -= slop; bottom += slop;
  const float square = 1.0f / (cos * cos + sin * sin), tilt = cos * 0.001f;
  if (sin < tilt && sin > -tilt) sin = tilt;
  const float high = most(left * -sin, right * -sin), low = most(left * sin, right * sin);
  const float a = (y + (top * cos - high) * square + 1.0f) * half - 0.5f;
  const float b = (y + (bottom * cos + low) * square + 1.0f) * half - 0.5f;
  const int first = (int)most(a, 0.0f), last = (int)least(most(b + 2.0f, 0.0f), (float)S);
  rows[0] = first; rows[1] = last;
  const float over_cos = 1.0f / cos, over_sin = 1.0f / sin, shift = (x + 1.0f) * half - 0.5f;
  for (int j = first; j < last; j++) {
    const float dy = gy[j] - y, up = dy * sin, across = dy * cos;
    const float e = (across - bottom) * over_sin, f = (across - top) * over_sin;
    const float from = most((left - up) * over_cos, least(e, f)) * half + shift;
    const float to = least((right - up) * over_cos, most(e, f)) * half + shift;
    const int l = (int)ceilf(least(most(from, 0.0f), (float)S));
    const int r = (int)least(most(to + 1.0f, 0.0f), (float)S);
    const int w = r > l ? (r - l + LANES - 1) / LANES * LANES : 0;
    width[j] = w;
    start[j] = l < P - w ? l : P - w;
  }
}

/* Widen the whole blocks that a subject may cover. */
static inline void cover(const int* restrict rows, const int* restrict start,
    const int* restrict width, int* restrict from, int* restrict to) {
  for (int j = rows[0]; j < rows[1]; j++) {
    const int l = start[j] & ~(LANES - 1);
    const int r = (start[j] + width[j] + LANES - 1) & ~(LANES - 1);
    if (width[j] && l < from[j]) from[j] = l;
    if (width[j] && r > to[j]) to[j] = r;
  }
}
"""
)

DRIVER = """
/* One row as bytes, with its grain. */
static inline void finish(const float* restrict a, const float* restrict grain, float deviation,
                          uint8_t* restrict out, int S) {
  for (int i = 0; i < S; i++) {
    const float v = (a[i] + deviation * grain[i]) * 255.0f + 0.5f;
    out[i] = (uint8_t)(int)least(most(v, 0.0f), 255.0f);
  }
}

/* One channel: blurred down, then across, then finished. */
static inline __attribute__((always_inline)) void blur_by(const float* restrict a,
    float* restrict line, float* restrict done, int S, int P, const float* restrict w,
    const int taps, const float* restrict grain, float deviation, uint8_t* restrict out) {
  for (int j = 0; j < S; j++) {
    for (int i = 0; i < S; i++) {
      float v = a[j * P + i] * w[0];
      for (int k = 1; k <= taps; k++) {
        const int u = j - k < 0 ? 0 : j - k, d = j + k >= S ? S - 1 : j + k;
        v = v + (a[u * P + i] + a[d * P + i]) * w[k];
      }
      line[taps + i] = v;
    }
    for (int i = 0; i < taps; i++) {
      line[i] = line[taps];
      line[taps + S + i] = line[taps + S - 1];
    }
    for (int i = 0; i < S; i++) {
      float v = line[taps + i] * w[0];
      for (int k = 1; k <= taps; k++) v = v + (line[taps - k + i] + line[taps + k + i]) * w[k];
      done[i] = v;
    }
    finish(done, grain + j * S, deviation, out + j * S, S);
  }
}

static __attribute__((noinline)) void blur(const float* a, float* line, int S, int P,
    const float* w, int taps, const float* grain, float deviation, uint8_t* out) {
  float* done = line + S + 2 * taps;
  switch (taps) { /* unrolled where it matters */
    case 1: blur_by(a, line, done, S, P, w, 1, grain, deviation, out); break;
    case 2: blur_by(a, line, done, S, P, w, 2, grain, deviation, out); break;
    case 3: blur_by(a, line, done, S, P, w, 3, grain, deviation, out); break;
    case 4: blur_by(a, line, done, S, P, w, 4, grain, deviation, out); break;
    default: blur_by(a, line, done, S, P, w, taps, grain, deviation, out);
  }
}

int draw(long first, long last, int S, int P, const float* numbers, const int* subject,
    const float* x, const float* y, const long* ends, const int* part, const float* places,
    const float* weights, int taps, const long* noise, const float* tape, uint8_t* out) {
  const long area = (long)S * P;
  const float pixels = S * 0.5f;
  float* r = aligned_alloc(64, (4 * area + 2 * (P + taps) + 4 * P + 64) / 16 * 64);
  if (!r) return 1;
  float *g = r + area, *b = g + area, *c = b + area, *line = c + area;
  int *start = (int*)(line + 2 * (P + taps)), *width = start + P, *from = width + P, *to = from + P;
  for (long f = first; f < last; f++) {
    const float* p = numbers + f * @K@;
    memset(c, 0, area * sizeof(float));
    for (int j = 0; j < S; j++) { from[j] = P; to[j] = 0; }
@LAYERS@    switch (subject[f]) {
@CASES@    }
    for (long m = ends[f]; m < ends[f + 1]; m++) {
      const float* q = places + 6 * m;
      switch (part[m]) {
@STAMPS@      }
    }
    for (int j = 0; j < S; j++) if (from[j] > to[j]) from[j] = to[j] = P;
    shade_inside(@PASSED@);
    shade_outside(@PASSED@);
    const float* w = weights + f * (taps + 1);
    for (int k = 0; k < 3; k++) {
      const float *plane = r + k * area, *grain = tape + noise[f] + (long)k * S * S;
      uint8_t* bytes = out + (f * 3 + k) * S * S;
      if (w[0] != 1.0f) blur(plane, line, S, P, w, taps, grain, p[@NOISE@], bytes);
      else for (int j = 0; j < S; j++)
        finish(plane + j * P, grain + j * S, p[@NOISE@], bytes + j * S, S);
    }
  }
  free(r);
  return 0;
}
"""
