// The activation f, as in mod.rs beside it: value, derivative, and increment without cancellation.

#define RELU 0
#define LEAKY_RELU 1
#define HARD_SIGMOID 2
#define SIGMOID 3
#define TANH 4
#define IDENTITY 5

#define LEAK ((real)0.01)

// sigmoid'(a) = q/(1+q)^2 with q = e^-|a|
DEVICE real sigmoid_slope(real a) {
    real q = exponential(-magnitude(a));
    return q / ((1 + q) * (1 + q));
}

// f(a)
DEVICE real value(int activation, real a) {
    switch (activation) {
    case RELU: return at_least(a, 0);
    case LEAKY_RELU: return a < 0 ? LEAK * a : a;
    case HARD_SIGMOID: return at_most(at_least(a, 0), 1);
    case SIGMOID: return 1 / (1 + exponential(-a));
    case TANH: return hyperbolic_tangent(a);
    default: return a;
    }
}

// f'(a)
DEVICE real derivative(int activation, real a) {
    switch (activation) {
    case RELU: return a > 0 ? 1 : 0;
    case LEAKY_RELU: return a < 0 ? LEAK : 1;
    case HARD_SIGMOID: return a > 0 && a < 1 ? 1 : 0;
    case SIGMOID: return sigmoid_slope(a);
    case TANH: return 4 * sigmoid_slope(a + a);
    default: return 1;
    }
}

DEVICE real leaky_increment(real a, real h) {
    if (a >= 0) {
        return a + h >= 0 ? h : LEAK * (a + h) - a;
    }
    if (a + h >= 0) {
        return (a + h) - LEAK * a;
    }
    return a < 0 ? LEAK * h : a; // NaN, which is not to be hidden
}

DEVICE real hard_increment(real a, real h) {
    if (a < 0) {
        return at_most(at_least(a + h, 0), 1);
    }
    if (a > 1) {
        return at_most(at_least((a - 1) + h, -1), 0);
    }
    return a >= 0 ? at_most(at_least(h, -a), 1 - a) : a; // NaN, which is not to be hidden
}

// sigmoid(a+h) - sigmoid(a) for |h| > 1, on the side on which sigmoid(a) is small.
DEVICE real sigmoid_difference(real a, real h) {
    if (a > 0) {
        return value(SIGMOID, -a) - value(SIGMOID, -(a + h));
    }
    return value(SIGMOID, a + h) - value(SIGMOID, a);
}

// f(a+h) - f(a), given f = f(a)
DEVICE real increment(int activation, real a, real f, real h) {
    switch (activation) {
    case RELU: return a >= 0 ? at_least(h, -a) : at_least(a + h, 0);
    case LEAKY_RELU: return leaky_increment(a, h);
    case HARD_SIGMOID: return hard_increment(a, h);
    case SIGMOID: {
        if (!(magnitude(h) <= 1)) {
            return sigmoid_difference(a, h);
        }
        real e = exponential_less_one(h);
        return derivative(SIGMOID, a) * e / (1 + f * e);
    }
    case TANH: {
        if (!(magnitude(h) <= 1)) {
            return 2 * sigmoid_difference(a + a, h + h);
        }
        real t = hyperbolic_tangent(h);
        return derivative(TANH, a) * t / (1 + f * t);
    }
    default: return h;
    }
}
