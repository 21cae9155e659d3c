// The requests to the server. Each returns a whole answer, or throws an ApiError with the reason.

import { t } from "./texts.js";

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Tells "lost" when the server does not answer, "back" when it answers again, and "refused" when it wants another token.
class Server extends EventTarget {
  isLost = false;
  waiting = []; // functions that say to requests whether there is a new token

  note(isLost) {
    if (isLost === this.isLost) return;
    this.isLost = isLost;
    this.dispatchEvent(new Event(isLost ? "lost" : "back"));
  }

  // Return whether there is a new token, when that is known.
  token() {
    const given = new Promise((resolve) => this.waiting.push(resolve));
    this.dispatchEvent(new Event("refused"));
    return given;
  }

  answer(isGiven) {
    for (const tell of this.waiting.splice(0)) tell(isGiven);
  }
}

export const server = new Server();

async function request(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    server.note(true);
    throw new ApiError(0, t.said.lost);
  }
  server.note(false);
  if (answer.ok) return answer;
  if (answer.status === 401 && (await server.token())) return request(path, options); // it was refused before anything was done
  const text = await answer.text();
  let message = text;
  try {
    message = JSON.parse(text).error;
  } catch {
    // the answer is plain text
  }
  throw new ApiError(answer.status, message);
}

const post = async (path, content) => {
  const headers = { "Content-Type": "application/json", "X-Fullseg": "1" };
  return (await request(path, { method: "POST", headers, body: JSON.stringify(content) })).json();
};

const keys = new Map(); // key of each image's file; the server refuses a request if the image's number means another file now

const at = (image, what = "") => `/api/images/${image}${what}?key=${keys.get(image)}`;

export async function workspace() {
  const images = await (await request("/api/workspace")).json();
  images.forEach(({ key }, image) => keys.set(image, key));
  return images;
}

// Give the server a token; from then on the browser sends it as a cookie. Return whether it was the right one.
export async function admit(token) {
  try {
    return (await fetch(`/?token=${token}`)).ok;
  } catch {
    throw new ApiError(0, t.said.lost);
  }
}

export const categories = async () => (await request("/api/categories")).json(); // waits for the model
export const learning = async () => (await request("/api/learning")).json();
export const learn = (content) => post("/api/learning", content);
export const EXPORTS = "/api/download";
export const hasExports = () => request(EXPORTS, { method: "HEAD" });
export const models = async () => (await request("/api/models")).json();
export const efforts = async () => (await request("/api/efforts")).json(); // of the images that are done
export const ping = () => request("/static/style.css", { method: "HEAD", cache: "no-store" });
export const addCategory = (name, isthing) => post("/api/categories", { name, isthing });
export const changeCategory = (id, content) => post(`/api/categories/${id}`, content);
export const state = async (image) => (await request(at(image))).json();
export const act = (image, content) => post(at(image, "/actions"), content);
export const note = (image, content) => post(at(image, "/note"), content);
export const replace = (image, content) => post(at(image, "/import"), content);
export const exportImage = (image, revision) => post(at(image, "/export"), { revision });
export const loose = async (image, revision, below) =>
  (await request(`${at(image, "/loose")}&revision=${revision}&below=${below}`)).json();
export const thumbnail = (image, revision) => `${at(image, "/thumbnail")}&revision=${revision}`;

export async function pixels(image) {
  return createImageBitmap(await (await request(at(image, "/pixels"))).blob());
}

// Return the labels of one revision: `map` (per pixel the region's index + 1, or 0), `areas` (pixels of each of these), `uncertainty`
// (per pixel 0 to 255; null unless `heat`), and the fields of the JSON.
export async function labels(image, state, heat, signal) {
  const answer = await request(`${at(image, "/labels")}&revision=${state.revision}&heat=${Number(heat)}`, { signal });
  const buffer = await answer.arrayBuffer();
  const count = state.width * state.height;
  const map = new Uint16Array(buffer, 0, count);
  const uncertainty = heat ? new Uint8Array(buffer, 2 * count, count) : null;
  const about = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, (heat ? 3 : 2) * count)));
  return { ...about, map, areas: areasOf(map, about.regions.length + 1), uncertainty };
}

// Return the labels (per pixel the region's index + 1, or 0) of a part of the file, [left, top, right, bottom]; null if there is a
// newer revision.
export async function closeUp(image, revision, [left, top, right, bottom], signal) {
  const query = new URLSearchParams({ revision, left, top, right, bottom });
  const answer = await request(`${at(image, "/close_up")}&${query}`, { signal });
  return answer.status === 204 ? null : new Uint16Array(await answer.arrayBuffer());
}

function areasOf(map, places) {
  const areas = Array(places).fill(0);
  for (let at = 0; at < map.length; at++) areas[map[at]]++;
  return areas;
}
