/* The part of the C backend that is written by hand: loops, spans, blur and grain.

   Python puts the generated kernels of a drawing in the place of kernels.h; they define
   COLUMNS and NOISE (columns of `numbers`, and which is the deviation of the noise), the kernels
   shade_inside and shade_outside, and lay_layers and lay_sprite, which choose among the others. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define LANES 16
static inline float least(float a, float b) { return a < b ? a : b; }
static inline float most(float a, float b) { return a > b ? a : b; }

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

#include "kernels.h"

#define ROWS 8 /* blurred down before they are blurred across: what was just stored loads slowly */

static inline int finish(float v, float grain, float deviation) {
  v = (v + deviation * grain) * 255.0f + 0.5f;
  return (int)least(most(v, 0.0f), 255.0f);
}

/* Pixel `i` of a row, blurred across. */
static inline __attribute__((always_inline)) float across(const float* restrict line, int i,
                                                          const float* restrict w, const int taps) {
  float v = line[i] * w[0];
  for (int k = 1; k <= taps; k++) v = v + (line[i - k] + line[i + k]) * w[k];
  return v;
}

/* One channel: blurred down, then across, then with its grain as bytes. */
static inline __attribute__((always_inline)) void blur_by(const float* restrict a,
    float* restrict lines, int S, int P, const float* restrict w, const int taps,
    const float* restrict grain, float deviation, uint8_t* restrict out) {
  const int pitch = P + 4 * LANES;
  for (int first = 0; first < S; first += ROWS) {
    const int last = first + ROWS < S ? first + ROWS : S;
    for (int j = first; j < last; j++) {
      float* restrict line = lines + (j - first) * pitch + 2 * LANES;
      for (int o = 0; o < P; o += LANES) {
        for (int i = o; i < o + LANES; i++) {
          float v = a[j * P + i] * w[0];
          for (int k = 1; k <= taps; k++) {
            const int u = j - k < 0 ? 0 : j - k, d = j + k >= S ? S - 1 : j + k;
            v = v + (a[u * P + i] + a[d * P + i]) * w[k];
          }
          line[i] = v;
        }
      }
      for (int i = 1; i <= taps; i++) { line[-i] = line[0]; line[S - 1 + i] = line[S - 1]; }
    }
    for (int j = first; j < last; j++) {
      const float* restrict line = lines + (j - first) * pitch + 2 * LANES;
      const long at = (long)j * S;
      int o = 0;
      for (; o + LANES <= S; o += LANES) { /* bytes in a loop of their own: better code */
        int done[LANES];
        for (int i = 0; i < LANES; i++)
          done[i] = finish(across(line, o + i, w, taps), grain[at + o + i], deviation);
        for (int i = 0; i < LANES; i++) out[at + o + i] = (uint8_t)done[i];
      }
      for (; o < S; o++)
        out[at + o] = (uint8_t)finish(across(line, o, w, taps), grain[at + o], deviation);
    }
  }
}

static __attribute__((noinline)) void blur(const float* a, float* lines, int S, int P,
    const float* w, int taps, const float* grain, float deviation, uint8_t* out) {
  switch (taps) { /* unrolled where it matters */
    case 0: blur_by(a, lines, S, P, w, 0, grain, deviation, out); break;
    case 1: blur_by(a, lines, S, P, w, 1, grain, deviation, out); break;
    case 2: blur_by(a, lines, S, P, w, 2, grain, deviation, out); break;
    case 3: blur_by(a, lines, S, P, w, 3, grain, deviation, out); break;
    case 4: blur_by(a, lines, S, P, w, 4, grain, deviation, out); break;
    default: blur_by(a, lines, S, P, w, taps, grain, deviation, out);
  }
}

/* What every kernel takes: the picture's numbers, pixels per unit, the grid of pixel centers, its
   size and padded width; for each row the span that is drawn and the one that the subject may
   cover; the planes. */
#define PICTURE p, pixels, x, y, S, P, start, width, from, to, r, g, b, c

/* Draw the pictures from `first` up to `last`: uint8 bytes of (N, 3, S, S). Returns 1 if there is
   no memory. */
int draw(long first, long last, int S, int P, const float* numbers, const int* subject,
    const float* x, const float* y, const long* ends, const int* kind, const float* places,
    const float* weights, int taps, const long* noise, const float* tape, uint8_t* out) {
  const long area = (long)S * P;
  const float pixels = S * 0.5f;
  const long buffer = ROWS * (P + 4 * LANES); /* at the sides there is room for 2 * LANES taps */
  float* r = aligned_alloc(64, (4 * area + buffer + 4 * P) * sizeof(float));
  if (!r) return 1;
  float *g = r + area, *b = g + area, *c = b + area, *lines = c + area;
  int *start = (int*)(lines + buffer), *width = start + P, *from = width + P, *to = from + P;
  for (long f = first; f < last; f++) {
    const float* p = numbers + f * COLUMNS;
    memset(c, 0, area * sizeof(float));
    for (int j = 0; j < S; j++) { from[j] = P; to[j] = 0; }
    lay_layers(subject[f], PICTURE);
    for (long m = ends[f]; m < ends[f + 1]; m++) lay_sprite(kind[m], places + 6 * m, PICTURE);
    for (int j = 0; j < S; j++) if (from[j] > to[j]) from[j] = to[j] = P;
    shade_inside(PICTURE);
    shade_outside(PICTURE);
    const float* w = weights + f * (taps + 1);
    for (int k = 0; k < 3; k++) {
      const float *plane = r + k * area, *grain = tape + noise[f] + (long)k * S * S;
      uint8_t* bytes = out + (f * 3 + k) * S * S;
      blur(plane, lines, S, P, w, w[0] == 1.0f ? 0 : taps, grain, p[NOISE], bytes);
    }
  }
  free(r);
  return 0;
}
