/* libFuzzer on the hybrid decoder: bytes are a group's payload, the first of them say how large its pictures are and which tools they may use.

   With -DFUZZ_SEEDS the program writes seeds instead, payloads of the encoder: `make fuzz-kernels` does both. All arrays are of just the
   sizes that Python gives them, so that whatever is read or written beside one ends the run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hybrid.h"

enum { HEAD = 5, MOST_SIDE = 64, MOST_FRAMES = 8, TOOLS = 1 << 12 };

static void *zeros(int64_t size)
{
    void *made = calloc(size > 0 ? (size_t)size : 1, 1);
    if (!made)
        abort();
    return made;
}

static HybridGeometry geometry_of(const uint8_t *head)
{
    return (HybridGeometry){1 + head[0] % MOST_SIDE, 1 + head[1] % MOST_SIDE, 2 + head[2] % 16 / 2, (head[3] | head[4] << 8) % TOOLS, 1 + head[2] / 16 % MOST_FRAMES};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD)
        return 0;
    HybridGeometry of = geometry_of(data);
    int64_t bytes = lvc_hybrid_decoder_bytes(&of), length = (int64_t)size - HEAD;
    if (bytes <= 0)
        abort();
    uint8_t *memory = zeros(bytes), *payload = zeros(length), *picture = zeros(of.height * of.width * 3);
    memcpy(payload, data + HEAD, (size_t)length);
    HybridStart start = {bytes, length, of.height, of.width, of.slots, of.without, memory, payload};
    HybridDecode decode = {bytes, length, of.height, of.width, memory, payload, picture};
    if (lvc_hybrid_decoder_start(&start))
        abort();
    for (int64_t frame = 0; frame < of.frames; frame++)
        if (lvc_hybrid_decode_frame(&decode))
            break;
    free(memory);
    free(payload);
    free(picture);
    return 0;
}

#ifdef FUZZ_SEEDS
static uint32_t next(uint32_t *state) { return (*state = *state * 1664525u + 1013904223u) >> 8; }

/* A ground that slopes and scrolls, boxes that go over it, and noise. */
static void draw(uint8_t *pictures, const HybridGeometry *of, uint32_t *state)
{
    int64_t boxes[4][5];
    for (int64_t box = 0; box < 4; box++)
        for (int64_t fact = 0; fact < 5; fact++)
            boxes[box][fact] = next(state) % 64;
    for (int64_t frame = 0; frame < of->frames; frame++)
        for (int64_t y = 0; y < of->height; y++)
            for (int64_t x = 0; x < of->width; x++) {
                uint8_t *pixel = pictures + ((frame * of->height + y) * of->width + x) * 3;
                for (int64_t channel = 0; channel < 3; channel++)
                    pixel[channel] = (uint8_t)(3 * (x + 2 * frame) + 2 * y * channel + (next(state) % 64 == 0 ? next(state) % 64 : 0));
                for (int64_t box = 0; box < 4; box++) {
                    int64_t left = boxes[box][0] + (box - 1) * frame, top = boxes[box][1] + (2 - box) * frame;
                    if (x >= left && x < left + 4 + boxes[box][2] / 4 && y >= top && y < top + 4 + boxes[box][3] / 4)
                        memset(pixel, (int)(4 * boxes[box][4]), 3);
                }
            }
}

int main(int count, char **arguments)
{
    uint32_t state = 11;
    for (int number = 0; count == 2 && number < 24; number++) {
        uint8_t head[HEAD];
        for (int place = 0; place < HEAD; place++)
            head[place] = (uint8_t)next(&state);
        if (number % 2)
            head[3] = head[4] = 0;  /* all tools */
        HybridGeometry of = geometry_of(head);
        int64_t bytes = lvc_hybrid_encoder_bytes(&of), pixels = of.frames * of.height * of.width * 3, room = 4096 + 2 * pixels;
        uint8_t *memory = zeros(bytes), *payload = zeros(room), *pictures = zeros(pixels), *shown = zeros(pixels);
        int64_t *ends = zeros(of.frames * (int64_t)sizeof *ends);
        draw(pictures, &of, &state);
        HybridEncode encode = {bytes, room, of.frames, of.height, of.width, of.slots, of.without, number % 3, 24 + number % 7 * 8, memory, payload, pictures, shown, ends};
        int64_t length = lvc_hybrid_encode(&encode);
        char name[4096];
        snprintf(name, sizeof name, "%s/seed_%02d", arguments[1], number);
        FILE *file = length < 0 ? NULL : fopen(name, "wb");
        if (!file || fwrite(head, 1, HEAD, file) != HEAD || fwrite(payload, 1, (size_t)length, file) != (size_t)length || fclose(file))
            return 1;
        free(memory);
        free(payload);
        free(pictures);
        free(shown);
        free(ends);
    }
    return count != 2;
}
#endif
