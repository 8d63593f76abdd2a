// The losses, as in mod.rs beside it, one thread for each sample.

// e^(z-max) / sum e^(z-max)
DEVICE void softmax(size outputs, const real *z, real *q) {
    real max = z[0], sum = 0;
    for (size i = 0; i < outputs; i++) {
        max = at_least(max, z[i]);
    }
    for (size i = 0; i < outputs; i++) {
        q[i] = exponential(z[i] - max);
        sum += q[i];
    }
    for (size i = 0; i < outputs; i++) {
        q[i] = q[i] / sum;
    }
}

typedef struct {
    size samples;
    size outputs;
    const real *logits;
    const real *target;
    real *gradient;
    real curvature; // c of the squared errors; 0: the cross-entropy
} LossGradient;

// gradient = (sum y) softmax(z) - y, or c (z - y)
KERNEL(loss_gradient, LossGradient) {
    for EACH(sample, p.samples) {
        const real *z = p.logits + sample * p.outputs, *y = p.target + sample * p.outputs;
        real *g = p.gradient + sample * p.outputs;
        if (p.curvature != 0) {
            for (size i = 0; i < p.outputs; i++) {
                g[i] = p.curvature * (z[i] - y[i]);
            }
            continue;
        }
        real mass = 0;
        for (size i = 0; i < p.outputs; i++) {
            mass += y[i];
        }
        softmax(p.outputs, z, g);
        for (size i = 0; i < p.outputs; i++) {
            g[i] = mass * g[i] - y[i];
        }
    }
}
