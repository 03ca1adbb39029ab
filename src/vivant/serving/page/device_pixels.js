// Pictures as bytes, resized and turned as OpenCV does it for the service: geometry/, faces/mesh.py.
//
// A picture is {width, height, channels, data}: rows from above, 0..255, RGB or one channel.

/** The colours of an ImageData, without its alpha. */
export function toRgb({ width, height, data }) {
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return { width, height, channels: 3, data: rgb };
}

/** To a whole number, halves to the even one, as Python and OpenCV do. */
export function round(value) {
  const floor = Math.floor(value);
  const above = value - floor;
  if (above !== 0.5) return above < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** A part of a picture, as a picture of its own. */
export function cutOut(picture, x, y, width, height) {
  const { channels, data } = picture;
  const part = new Uint8Array(width * height * channels);
  for (let row = 0; row < height; row += 1) {
    const start = ((y + row) * picture.width + x) * channels;
    part.set(data.subarray(start, start + width * channels), row * width * channels);
  }
  return { width, height, channels, data: part };
}

/** Luma of a part of an RGB picture. */
export function lumaOf(picture, x, y, width, height) {
  const { data } = picture;
  const luma = new Uint8Array(width * height);
  for (let row = 0, to = 0; row < height; row += 1) {
    let at = ((y + row) * picture.width + x) * 3;
    for (let column = 0; column < width; column += 1, at += 3, to += 1) {
      const weighted = 9798 * data[at] + 19235 * data[at + 1] + 3735 * data[at + 2];
      luma[to] = (weighted + 16384) >> 15;
    }
  }
  return { width, height, channels: 1, data: luma };
}

/** Much smaller, by halves first: geometry/shrink.py. */
export function shrink(picture, width, height) {
  let shrunk = picture;
  while (shrunk.width >= 2 * width && shrunk.height >= 2 * height) {
    shrunk = resizeArea(shrunk, shrunk.width >> 1, shrunk.height >> 1);
  }
  return resizeArea(shrunk, width, height);
}

/** Each pixel the mean of the area that it covers; bilinear where it covers less than one. */
export function resizeArea(picture, width, height) {
  if (picture.width === width && picture.height === height) return picture;
  if (picture.width < width || picture.height < height) return resizeBilinear(picture, width, height);
  if (picture.width === 2 * width && picture.height === 2 * height) return halve(picture);
  return average(picture, areas(picture.width, width), areas(picture.height, height));
}

/** Each pixel between its four nearest, in OpenCV's integers: a level less may be another cell. */
export function resizeBilinear({ width, height, channels, data }, newWidth, newHeight) {
  const line = newWidth * channels;
  const wide = new Int32Array(height * line);
  neighbours(width, newWidth).forEach(({ from, to, near, far }, column) => {
    const held = from === to ? 2048 : near; // OpenCV clamps columns so, and rows not.
    const other = from === to ? 0 : far;
    for (let y = 0; y < height; y += 1) {
      for (let channel = 0; channel < channels; channel += 1) {
        const row = y * width * channels + channel;
        const value = held * data[row + from * channels] + other * data[row + to * channels];
        wide[y * line + column * channels + channel] = value >> 4;
      }
    }
  });
  const resized = new Uint8Array(newHeight * line);
  neighbours(height, newHeight).forEach(({ from, to, near, far }, row) => {
    for (let at = 0; at < line; at += 1) {
      const upper = (near * wide[from * line + at]) >> 16;
      const lower = (far * wide[to * line + at]) >> 16;
      resized[row * line + at] = (upper + lower + 2) >> 2;
    }
  });
  return { width: newWidth, height: newHeight, channels, data: resized };
}

/**
 * The square that an affine map shows of an RGB picture, bilinear, black outside.
 * @param {number[][]} toSquare 2x3, from points of the picture to points of the square; OpenCV
 *   counts from the middle of the first pixel, a point from its upper left corner.
 */
export function warp(picture, toSquare, side) {
  const [[a, b, tx], [c, d, ty]] = invertAffine(toSquare);
  const { width, height, data } = picture;
  const square = new Uint8Array(side * side * 3);
  const at = (x, y, channel) =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : data[(y * width + x) * 3 + channel];
  for (let row = 0, to = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1, to += 3) {
      const x = a * (column + 0.5) + b * (row + 0.5) + tx - 0.5;
      const y = c * (column + 0.5) + d * (row + 0.5) + ty - 0.5;
      const x0 = Math.floor(x);
      const y0 = Math.floor(y);
      if (x0 < -1 || y0 < -1 || x0 >= width || y0 >= height) continue;
      const fx = x - x0;
      const fy = y - y0;
      for (let channel = 0; channel < 3; channel += 1) {
        const upper = at(x0, y0, channel) * (1 - fx) + at(x0 + 1, y0, channel) * fx;
        const lower = at(x0, y0 + 1, channel) * (1 - fx) + at(x0 + 1, y0 + 1, channel) * fx;
        square[to + channel] = round(upper * (1 - fy) + lower * fy);
      }
    }
  }
  return { width: side, height: side, channels: 3, data: square };
}

/** The affine map back. */
export function invertAffine([[a, b, tx], [c, d, ty]]) {
  const area = a * d - b * c;
  const [ia, ib, ic, id] = [d / area, -b / area, -c / area, a / area];
  return [[ia, ib, -ia * tx - ib * ty], [ic, id, -ic * tx - id * ty]];
}

/** Mean and standard deviation of numbers. */
export function moments(values) {
  let [sum, squares] = [0, 0];
  for (const value of values) sum += value;
  const mean = sum / values.length;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / values.length) };
}

function halve({ width, height, channels, data }) {
  const half = new Uint8Array((width / 2) * (height / 2) * channels);
  const row = width * channels;
  for (let y = 0, to = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      for (let at = y * row + x * channels, end = at + channels; at < end; at += 1, to += 1) {
        half[to] = (data[at] + data[at + channels] + data[at + row] + data[at + row + channels] + 2) >> 2;
      }
    }
  }
  return { width: width / 2, height: height / 2, channels, data: half };
}

/** Means of areas, columns first; each list has {from, weights} for a column or row. */
function average({ width, height, channels, data }, columns, rows) {
  const line = columns.length * channels;
  const narrow = new Float32Array(height * line);
  for (let y = 0; y < height; y += 1) {
    for (let column = 0; column < columns.length; column += 1) {
      const { from, weights } = columns[column];
      for (let channel = 0; channel < channels; channel += 1) {
        let sum = 0;
        for (let at = (y * width + from) * channels + channel, i = 0; i < weights.length; i += 1) {
          sum += weights[i] * data[at + i * channels];
        }
        narrow[y * line + column * channels + channel] = sum;
      }
    }
  }
  const resized = new Uint8Array(rows.length * line);
  for (let row = 0; row < rows.length; row += 1) {
    const { from, weights } = rows[row];
    for (let at = 0; at < line; at += 1) {
      let sum = 0;
      for (let i = 0; i < weights.length; i += 1) sum += weights[i] * narrow[(from + i) * line + at];
      resized[row * line + at] = round(sum);
    }
  }
  return { width: columns.length, height: rows.length, channels, data: resized };
}

function areas(size, newSize) {
  const scale = size / newSize;
  return Array.from({ length: newSize }, (_, place) => {
    const [start, end] = [place * scale, Math.min((place + 1) * scale, size)];
    const from = Math.floor(start + 1e-3); // A sliver that rounding left is no area.
    const to = Math.max(Math.ceil(end - 1e-3), from + 1);
    const weights = Array.from(
      { length: to - from },
      (_, i) => (Math.min(end, from + i + 1) - Math.max(start, from + i)) / (end - start),
    );
    return { from, weights };
  });
}

function neighbours(size, newSize) {
  const within = (place) => Math.min(Math.max(place, 0), size - 1);
  return Array.from({ length: newSize }, (_, place) => {
    const middle = Math.fround(((place + 0.5) * size) / newSize - 0.5);
    const before = Math.floor(middle);
    const far = round((middle - before) * 2048);
    return { from: within(before), to: within(before + 1), near: 2048 - far, far };
  });
}
