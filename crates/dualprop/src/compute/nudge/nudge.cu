// The output nudge, as in mod.rs and cross_entropy.rs beside it. The mean of the output is a number of losses, nothing else reads it;
// its difference is fed back.

typedef struct {
    size n;
    const real *a;
    const real *gradient;
    real *mean;
    state *difference;
    real shift; // (-alpha u + (1 - alpha) d) beta
    real pull;  // (u + d) beta
} NudgeLinearised;

// mean = a + shift g, difference = -pull g
KERNEL(nudge_linearised, NudgeLinearised) {
    for EACH(i, p.n) {
        real g = p.gradient[i];
        p.mean[i] = p.a[i] + p.shift * g;
        put(p.difference, i, or_zero(-(p.pull * g)));
    }
}

// The minimiser of c l(a+p) + |p|^2 / 2 for the cross-entropy l, by a safeguarded Newton iteration, in double whatever REAL is.

#define MOST_ITERATIONS 200
#define MOST_DESCENTS 10000
#define EPSILON 2.22044604925031308085e-16

typedef struct {
    size n;
    double c;
    const double *a;
    const double *y;
    double *p; // sought
    double *z;
    double *q;
    double *residual;
    double *direction;
    double *trial;
} Newton;

typedef struct {
    double value; // of what is to be small
    double size;  // the largest number of its gradient
} Found;

// The value and the gradient at p; leaves q and the residual in place.
DEVICE Found evaluate(const Newton *s, const double *p) {
    double max, sum = 0, mass = 0, loss = 0, squares = 0;
    Found found;
    for (size i = 0; i < s->n; i++) {
        s->z[i] = s->a[i] + p[i];
    }
    max = s->z[0];
    for (size i = 0; i < s->n; i++) {
        max = s->z[i] < max ? max : s->z[i];
    }
    for (size i = 0; i < s->n; i++) {
        s->q[i] = exp(s->z[i] - max);
        sum += s->q[i];
        mass += s->y[i];
    }
    found.size = 0;
    double log_sum = log(sum);
    for (size i = 0; i < s->n; i++) {
        s->q[i] = s->q[i] / sum;
        s->residual[i] = p[i] + s->c * (mass * s->q[i] - s->y[i]);
        double size_here = fabs(s->residual[i]);
        found.size = found.size < size_here ? size_here : found.size;
        loss += s->y[i] * (log_sum + max - s->z[i]);
        squares += p[i] * p[i];
    }
    found.value = s->c * loss + 0.5 * squares;
    return found;
}

// Whether the Hessian is positive definite at the present q, for the strength c < 0.
DEVICE int is_convex(const Newton *s, double c) {
    int negative = 0;
    double sum = 0;
    for (size i = 0; i < s->n; i++) {
        double d = 1 + c * s->q[i];
        negative += d <= 0;
        sum += s->q[i] * s->q[i] / d;
    }
    return negative == 0 || (negative == 1 && 1 - c * sum < 0);
}

// The Newton direction for the strength c, or the steepest one where that does not descend; returns its slope.
DEVICE double find_direction(const Newton *s, double c) {
    const double *q = s->q, *f = s->residual;
    size m = 0;
    for (size i = 0; i < s->n; i++) {
        m = q[i] > q[m] ? i : m;
    }
    double q_dinv_q = 0, q_dinv_f = 0, smallest = 1;
    for (size i = 0; i < s->n; i++) {
        double d = i == m ? 1 : 1 + c * q[i];
        smallest = d < smallest ? d : smallest;
        q_dinv_q += q[i] * q[i] / d;
        q_dinv_f += q[i] * f[i] / d;
    }
    double s_m = c * q[m], s_q = -c;
    double a = 1 + s_m, b = s_m * q[m], e = s_q * q[m], g = 1 + s_q * q_dinv_q;
    double determinant = a * g - b * e, r_m = s_m * f[m], r_q = s_q * q_dinv_f;
    double x_m = (g * r_m - b * r_q) / determinant, x_q = (a * r_q - e * r_m) / determinant;
    double slope = 0, steepest = 0;
    for (size i = 0; i < s->n; i++) {
        double d = i == m ? 1 : 1 + c * q[i], u_x = x_q * q[i] + (i == m ? x_m : 0);
        s->direction[i] = -(f[i] - u_x) / d;
        slope += f[i] * s->direction[i];
        steepest -= f[i] * f[i];
    }
    if (smallest > 0 && slope < 0) {
        return slope;
    }
    for (size i = 0; i < s->n; i++) {
        s->direction[i] = -f[i];
    }
    return steepest;
}

// Halves the step until the gradient halves or the value falls enough; leaves the new point in trial. Whether one does.
DEVICE int search(const Newton *s, Found *now, double slope) {
    double largest = 1, step = 1;
    for (size i = 0; i < s->n; i++) {
        double there = fabs(s->a[i] + s->p[i]);
        largest = largest < there ? there : largest;
    }
    double rounding = 64 * EPSILON * (fabs(now->value) + fabs(s->c) * largest);
    for (int halving = 0; halving < 40; halving++, step *= 0.5) {
        for (size i = 0; i < s->n; i++) {
            s->trial[i] = s->p[i] + step * s->direction[i];
        }
        Found found = evaluate(s, s->trial);
        if ((found.size <= 0.5 * now->size && found.value <= now->value + rounding) || found.value < now->value + 1e-4 * step * slope) {
            *now = found;
            return 1;
        }
    }
    return 0;
}

DEVICE void displace(const Newton *s) {
    double strength = 0;
    for (size i = 0; i < s->n; i++) {
        s->p[i] = 0;
        strength += s->y[i];
    }
    strength *= s->c;
    if (s->c == 0) {
        return;
    }
    Found now = evaluate(s, s->p);
    for (int descent = 0; strength < -2 && descent < MOST_DESCENTS; descent++) {
        if (now.size <= 1e-4 && is_convex(s, strength)) {
            break;
        }
        for (size i = 0; i < s->n; i++) {
            s->p[i] -= s->residual[i];
        }
        now = evaluate(s, s->p);
    }
    for (int iteration = 0; iteration < MOST_ITERATIONS && now.size > 2 * EPSILON * fabs(s->c); iteration++) {
        double slope = find_direction(s, strength);
        if (!search(s, &now, slope)) {
            return; // no step makes it smaller: this is as near as rounding allows
        }
        for (size i = 0; i < s->n; i++) {
            s->p[i] = s->trial[i];
        }
    }
}

// Numbers that each output of a sample needs while it is nudged: a, y, both displacements, and Newton's five.
#define ROOM 9

typedef struct {
    size samples;
    size outputs;
    const real *a;
    const real *target;
    real *mean;
    state *difference;
    double *room; // ROOM rows of outputs for each sample
    double alpha;
    double u_beta;
    double d_beta;
    double curvature; // c of the squared errors; 0: the cross-entropy
} NudgeProximal;

// mean and difference of s+ = argmin_s u beta l(s) + |s-a|^2 / 2 and s- = argmax_s d beta l(s) - |s-a|^2 / 2
KERNEL(nudge_proximal, NudgeProximal) {
    for EACH(sample, p.samples) {
        size first = sample * p.outputs;
        double *a = p.room + first * ROOM, *y = a + p.outputs, *plus = y + p.outputs, *minus = plus + p.outputs;
        double *z = minus + p.outputs, *q = z + p.outputs;
        double *residual = q + p.outputs, *direction = residual + p.outputs, *trial = direction + p.outputs;
        for (size i = 0; i < p.outputs; i++) {
            double g;
            a[i] = (double)p.a[first + i];
            y[i] = (double)p.target[first + i];
            g = p.curvature * (a[i] - y[i]);
            plus[i] = -p.u_beta * g / (1 + p.u_beta * p.curvature);
            minus[i] = p.d_beta * g / (1 - p.d_beta * p.curvature);
        }
        if (p.curvature == 0) {
            Newton newton = {p.outputs, p.u_beta, a, y, plus, z, q, residual, direction, trial};
            displace(&newton);
            newton.c = -p.d_beta;
            newton.p = minus;
            displace(&newton);
        }
        for (size i = 0; i < p.outputs; i++) {
            double shift = p.alpha * plus[i] + (1 - p.alpha) * minus[i];
            p.mean[first + i] = p.a[first + i] + (real)shift;
            put(p.difference, first + i, or_zero((real)(plus[i] - minus[i])));
        }
    }
}
