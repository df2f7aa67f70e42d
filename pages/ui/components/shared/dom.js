// Elements made, written and walked through by keys. Text is always set as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg"

function make(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue
    if (name.startsWith("on")) node[name] = value
    else node.setAttribute(name, value === true ? "" : value)
  }
  node.append(...children.filter((child) => child != null))
  return node
}

export function el(tag, attributes = {}, ...children) {
  return make(document.createElement(tag), attributes, children)
}

// Things side by side that wrap where there is no room.
export function line(...parts) {
  return el("div", { class: "line-of" }, ...parts)
}

export function svg(tag, attributes = {}, ...children) {
  return make(document.createElementNS(SVG, tag), attributes, children)
}

// Write only what changed: most of the 1024 cells of a large batch keep their text from frame to frame.
export function setText(node, text) {
  if (node.shown !== text) node.textContent = node.shown = text
}

export function setAttr(node, name, value) {
  const memo = (node.memo ??= {})
  if (memo[name] !== value) node.setAttribute(name, (memo[name] = value))
}

// One Tab stop for a group of items; arrow keys walk inside it, Enter and Space do what a click does. `keys` says what an
// arrow key adds to a place, `step(at, move)` where that leads; `more(at, event)` may take any other key and says if it did.
export function roving(items, keys, step, more = () => false) {
  items.forEach((item, at) => {
    item.onkeydown = (event) => {
      const move = keys[event.key]
      const press = event.key === "Enter" || event.key === " "
      if (move === undefined && !press && !more(at, event)) return
      event.preventDefault()
      event.stopPropagation()
      if (press) return item.onclick?.()
      if (move === undefined) return
      const next = step(at, move)
      items[at].setAttribute("tabindex", "-1")
      items[next].setAttribute("tabindex", "0")
      items[next].focus()
    }
  })
}

// A figure whose controls are hidden: one Tab stop, whose keys do what the controls did. `acts`: key → what it does, null where
// the controls are there.
export function keyed(root, label, acts) {
  for (const [name, value] of Object.entries({ tabindex: "0", role: "group", "aria-label": label })) {
    if (acts) root.setAttribute(name, value)
    else root.removeAttribute(name)
  }
  root.onkeydown = acts && ((event) => {
    if (event.target !== root || !acts[event.key]) return
    event.preventDefault()
    acts[event.key]()
  })
}

export function button(names, onclick, text, more = {}) {
  return el("button", { type: "button", class: names, onclick, ...more }, text)
}

// A choice of one as buttons; arrow keys choose the next. Returns { node, show(name) }.
export function radios(label, names, text, choose) {
  const items = names.map((name) => button("radio", () => choose(name), text(name), { role: "radio", "data-name": name }))
  roving(items, { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }, (at, move) => {
    const next = (at + move + items.length) % items.length
    choose(names[next])
    return next
  })
  const show = (chosen) => items.forEach((item, at) => {
    setAttr(item, "aria-checked", String(names[at] === chosen))
    item.setAttribute("tabindex", names[at] === chosen ? "0" : "-1")
  })
  return { node: el("div", { class: "radios", role: "radiogroup", "aria-label": label }, ...items), show, items }
}

// A table; each row begins with its heading.
export function table(caption, heads, rows) {
  const head = heads.map((text) => (text ? el("th", { scope: "col" }, text) : el("td")))
  const lines = rows.map(([first, ...rest]) => el("tr", {}, el("th", { scope: "row" }, first), ...rest.map((text) => el("td", {}, text))))
  return el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...lines))
}

// The numbers of a figure as tables, for reading aloud and for copying; made when opened.
export function tables(title, make) {
  const node = el("details", { class: "tables", ontoggle: () => write() }, el("summary", {}, title))
  const write = () => node.open && node.replaceChildren(node.firstChild, el("div", { class: "table-scroll" }, ...make()))
  return { node, write }
}
