// The API, as /openapi.json describes it. What the description says is set as text, and never as HTML.

import { speak } from "./words.js";

const WORDS = {
  title: { zh: "网关接口 · 演示", en: "Gateway API · demo" },
  failed: { zh: "无法读取 /openapi.json，请重新加载此页。", en: "/openapi.json cannot be read. Load this page again." },
  source: { zh: "原始描述", en: "The description itself" },
  platform: { zh: "平台", en: "Platform" },
  terminal: { zh: "终端", en: "Terminal" },
  operations: { zh: "运维", en: "Operations" },
  schemas: { zh: "数据结构", en: "Schemas" },
  parameters: { zh: "参数", en: "Parameters" },
  request: { zh: "请求体", en: "Request body" },
  answers: { zh: "响应", en: "Responses" },
  required: { zh: "必需", en: "required" },
  closed: { zh: "不接受其他成员", en: "no other members" },
  length: { zh: "长度", en: "length" },
  items: { zh: "项数", en: "items" },
  default: { zh: "默认", en: "default" },
  example: { zh: "例如", en: "for example" },
  path: { zh: "路径", en: "path" },
  query: { zh: "查询", en: "query" },
  header: { zh: "请求头", en: "header" },
  cookie: { zh: "Cookie", en: "cookie" },
};
const RANGES = [["", "minimum", "maximum"], ["length", "minLength", "maxLength"], ["items", "minItems", "maxItems"]];
const REFERENCE = "#/components/schemas/";
const language = speak(WORDS);

/** An element with attributes and children; a child that is a string becomes text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A word of the frame, which follows the language; what has no translation stays as it is. */
function word(name, tag = "span", attributes = {}) {
  if (!Object.hasOwn(WORDS, name)) return make(tag, attributes, name);
  return make(tag, { ...attributes, "data-words": name }, language.say(name));
}

/** The paragraphs of a description, with `code` in them. */
function prose(text = "") {
  const paragraphs = text.split(/\n\s*\n/).filter((each) => each.trim());
  return paragraphs.map((each) =>
    make("p", { lang: "en" }, ...each.split(/`+([^`]+)`+/).map((part, i) => (i % 2 ? make("code", {}, part) : part))),
  );
}

const linkTo = (id, ...children) => make("a", { href: `#${encodeURI(id)}` }, ...children);
const schemaId = (name) => `schema/${name}`;
const operationId = (method, path) => method + path;
const joined = (parts, by) => parts.flatMap((part, i) => (i ? [by, ...part] : part));

/** The type of a schema with its bounds. */
function kind(schema = {}) {
  return [...typeOf(schema), ...boundsOf(schema).flatMap((bound) => [" ", bound])];
}

function typeOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.replace(REFERENCE, "");
    return [linkTo(schemaId(name), name)];
  }
  const choice = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choice) return joined(choice.map(kind), schema.allOf ? " & " : " | ");
  if (schema.enum) return joined(schema.enum.map((value) => [literal(value)]), " | ");
  if (schema.const !== undefined) return [literal(schema.const)];
  if (schema.type === "array") return ["array<", ...kind(schema.items), ">"];
  if (schema.type === "object" && schema.additionalProperties) {
    return ["object<", ...kind(Object(schema.additionalProperties)), ">"];
  }
  return [[schema.type ?? "any"].flat().join(" | ") + (schema.format ? ` (${schema.format})` : "")];
}

function boundsOf(schema) {
  const bounds = [];
  const range = (low, high) => (low === undefined ? `≤ ${high}` : high === undefined ? `≥ ${low}` : `${low}–${high}`);
  for (const [name, low, high] of RANGES) {
    if (schema[low] === undefined && schema[high] === undefined) continue;
    const shown = range(schema[low], schema[high]);
    bounds.push(make("span", { class: "bound" }, ...(name ? [word(name), " "] : []), shown));
  }
  if (schema.exclusiveMinimum !== undefined) bounds.push(make("span", { class: "bound" }, `> ${schema.exclusiveMinimum}`));
  if (schema.exclusiveMaximum !== undefined) bounds.push(make("span", { class: "bound" }, `< ${schema.exclusiveMaximum}`));
  if (schema.pattern) bounds.push(make("code", { class: "bound" }, schema.pattern));
  if (schema.default !== undefined) bounds.push(make("span", { class: "bound" }, word("default"), " ", literal(schema.default)));
  for (const each of schema.examples ?? []) {
    bounds.push(make("span", { class: "bound" }, word("example"), " ", literal(each)));
  }
  return bounds;
}

const literal = (value) => make("code", {}, JSON.stringify(value));

/** One field or parameter: name, type and bounds, and what it is. */
function row(name, schema, { required, description = schema.description, place } = {}) {
  const notes = [place, required && "required"].filter(Boolean).map((note) => word(note, "small"));
  return make(
    "div",
    {},
    make("dt", {}, make("code", {}, name), ...notes),
    make("dd", {}, make("p", { class: "kind" }, ...kind(schema)), ...prose(description)),
  );
}

/** The fields of a schema; of one that is no object, its type. */
function fields(schema) {
  if (!schema.properties) return [make("p", { class: "kind" }, ...kind(schema))];
  const rows = Object.entries(schema.properties).map(([name, each]) =>
    row(name, each, { required: schema.required?.includes(name) }),
  );
  const closed = schema.additionalProperties === false ? [word("closed", "p", { class: "quiet" })] : [];
  return [make("dl", { class: "fields" }, ...rows), ...closed];
}

/** Media types and schemas of a body. */
function contents(content = {}) {
  const shown = ([type, { schema }]) => [make("code", {}, type), " ", ...(schema ? kind(schema) : [])];
  return joined(Object.entries(content).map(shown), ", ");
}

function answer([status, { description, content }]) {
  const good = status.startsWith("2") ? "good" : "bad";
  return make(
    "li",
    {},
    make("b", { class: good }, status),
    make("span", { lang: "en" }, description ?? ""),
    make("span", { class: "kind" }, ...contents(content)),
  );
}

function operation(api, { method, path, about }) {
  const { summary = "", description, parameters = [], requestBody, responses } = about;
  const parts = [];
  if (parameters.length) {
    const rows = parameters.map((each) => row(each.name, each.schema, { ...each, place: each.in }));
    parts.push(word("parameters", "h4"), make("dl", { class: "fields" }, ...rows));
  }
  if (requestBody) {
    parts.push(word("request", "h4"), make("p", { class: "kind" }, ...contents(requestBody.content)));
    for (const { schema } of Object.values(requestBody.content)) {
      const named = api.components?.schemas?.[schema?.$ref?.replace(REFERENCE, "")];
      if (named ?? schema?.properties) parts.push(...prose(named?.description), ...fields(named ?? schema));
    }
  }
  parts.push(word("answers", "h4"), make("ul", { class: "answers" }, ...Object.entries(responses).map(answer)));
  const heading = linkTo(operationId(method, path), methodOf(method), make("code", {}, path));
  return make(
    "article",
    { id: operationId(method, path) },
    make("h3", {}, heading),
    make("p", { class: "summary", lang: "en" }, summary),
    ...prose(description),
    ...parts,
  );
}

function described([name, schema]) {
  const heading = make("h3", {}, linkTo(schemaId(name), name));
  return make("article", { id: schemaId(name) }, heading, ...prose(schema.description), ...fields(schema));
}

const methodOf = (method) => make("span", { class: `method ${method}` }, method.toUpperCase());

function show(api) {
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, about] of Object.entries(methods)) {
      const tag = about.tags?.[0] ?? "";
      groups.set(tag, [...(groups.get(tag) ?? []), { method, path, about }]);
    }
  }
  const schemas = Object.entries(api.components?.schemas ?? {});
  const list = (name, links) => [word(name, "h2"), make("ul", {}, ...links.map((link) => make("li", {}, link)))];
  const nav = document.getElementById("contents");
  for (const [tag, each] of groups) {
    const links = each.map(({ method, path }) => linkTo(operationId(method, path), methodOf(method), make("code", {}, path)));
    nav.append(...list(tag, links));
  }
  nav.append(...list("schemas", schemas.map(([name]) => linkTo(schemaId(name), name))));
  const { title, version, summary = "", description } = api.info;
  const source = make("a", { href: "/openapi.json" }, word("source"));
  const heading = make("h2", { lang: "en" }, `${title} ${version}`);
  document.getElementById("api").append(
    make("section", { class: "about" }, heading, ...prose(summary), ...prose(description), source),
    ...[...groups].map(([tag, each]) => make("section", {}, word(tag, "h2"), ...each.map((one) => operation(api, one)))),
    make("section", {}, word("schemas", "h2"), ...schemas.map(described)),
  );
  if (location.hash) location.replace(location.hash); // what it names was not there when the page was opened
}

fetch("/openapi.json")
  .then((response) => (response.ok ? response.json() : Promise.reject(new Error(response.status))))
  .then(show, () => (document.getElementById("failed").hidden = false));
