// What the page asks of the server. Every answer is whole or an ApiError that says why.

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function request(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer. Everything acknowledged is on disk; start it again.");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let message = text;
  try {
    message = JSON.parse(text).error;
  } catch {
    // plain text already
  }
  throw new ApiError(answer.status, message);
}

const post = async (path, content) => {
  const headers = { "Content-Type": "application/json", "X-Fullseg": "1" };
  return (await request(path, { method: "POST", headers, body: JSON.stringify(content) })).json();
};

export const workspace = async () => (await request("/api/workspace")).json();
export const addCategory = (name, isthing) => post("/api/categories", { name, isthing });
export const state = async (image) => (await request(`/api/images/${image}`)).json();
export const act = (image, content) => post(`/api/images/${image}/actions`, content);
export const replace = (image, content) => post(`/api/images/${image}/import`, content);
export const exportImage = (image, revision) => post(`/api/images/${image}/export`, { revision });
export const thumbnail = (image) => `/api/images/${image}/thumbnail`;

export async function pixels(image) {
  return createImageBitmap(await (await request(`/api/images/${image}/pixels`)).blob());
}

// Labels of one revision: {map: place + 1 of every pixel or 0, uncertainty: 0..255, and what the server says of them}.
export async function labels(image, state, signal) {
  const answer = await request(`/api/images/${image}/labels?revision=${state.revision}`, { signal });
  const about = JSON.parse(answer.headers.get("X-Fullseg-Labels"));
  const buffer = await answer.arrayBuffer();
  const count = state.width * state.height;
  return { ...about, map: new Uint16Array(buffer, 0, count), uncertainty: new Uint8Array(buffer, 2 * count, count) };
}
