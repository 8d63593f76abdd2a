// Biases: added to what a product has made, and their gradients, which are sums over samples and pixels.

typedef struct {
    size n;
    size channels;
    const real *bias;
    state *a;
} AddBias;

// a += b, channel by channel
KERNEL(add_bias, AddBias) {
    for EACH(i, p.n) {
        put(p.a, i, get(p.a, i) + p.bias[i % p.channels]);
    }
}

// The same of the output layer, whose numbers are those of losses.
KERNEL(add_bias_wide, AddBias) {
    real *a = (real *)p.a;
    for EACH(i, p.n) {
        a[i] += p.bias[i % p.channels];
    }
}

typedef struct {
    size rows;
    size channels;
    size rows_of_part; // rows that are added up by one thread
    const state *difference;
    real *parts; // one row for every so many rows
} PartSums;

// Sums over so many rows each, channel by channel: the first half of a bias gradient. Parts are of a fixed size and in a fixed order,
// whatever the launch, so that the sums are the same to the bit every time.
KERNEL(part_sums, PartSums) {
    size parts = (p.rows + p.rows_of_part - 1) / p.rows_of_part;
    for EACH(i, parts * p.channels) {
        size first = i / p.channels * p.rows_of_part, channel = i % p.channels;
        size end = first + p.rows_of_part < p.rows ? first + p.rows_of_part : p.rows;
        real sum = 0;
        for (size row = first; row < end; row++) {
            sum += get(p.difference, row * p.channels + channel);
        }
        p.parts[i] = sum;
    }
}

typedef struct {
    size parts;
    size channels;
    const real *sums;
    real *gradient;
    real scale;
} BiasGradient;

// gradient = scale times the sum of the parts
KERNEL(bias_gradient, BiasGradient) {
    for EACH(channel, p.channels) {
        real sum = 0;
        for (size part = 0; part < p.parts; part++) {
            sum += p.sums[part * p.channels + channel];
        }
        p.gradient[channel] = p.scale * sum;
    }
}
