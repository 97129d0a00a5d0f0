"use strict";
(() => {
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : cell.dataset.value;
  };

  // What is not known stays at the end, whichever way a column is sorted.
  const compare = (a, b, sign) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const numeric = !Number.isNaN(Number(a)) && !Number.isNaN(Number(b));
    return sign * (numeric ? Number(a) - Number(b) : a.localeCompare(b));
  };

  const sortBy = (table, header) => {
    const column = [...header.parentElement.children].indexOf(header);
    const first = header.querySelector("button").dataset.first || "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = header.getAttribute("aria-sort") === first ? other : first;
    for (const one of header.parentElement.children) one.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort((a, b) => compare(value(a, column), value(b, column), sign)));
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const header of table.tHead.rows[0].cells) {
      header.querySelector("button").addEventListener("click", () => sortBy(table, header));
    }
  }

  for (const form of document.querySelectorAll("form.filters")) {
    const rows = [...document.getElementById(form.dataset.table).tBodies[0].rows];
    const show = () => {
      const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
      const { k, factor } = form.elements;
      let count = 0;
      for (const row of rows) {
        const text = (row.cells[0].textContent + " " + row.cells[row.cells.length - 1].textContent).toLowerCase();
        const fits = words.every((word) => text.includes(word))
          && (!k.value || row.dataset.k === k.value) && (!factor.value || row.dataset.factor === factor.value);
        row.hidden = !fits;
        count += fits;
      }
      form.querySelector("output").textContent = `${count} of ${rows.length} shown`;
    };
    for (const option of form.querySelectorAll("option[data-first]")) option.selected = true;
    form.addEventListener("input", show);
    form.addEventListener("change", show); // a select changed by a tool may send this alone
    form.addEventListener("submit", (event) => event.preventDefault());
    show();
  }

  // On paper nothing is folded.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const one of opened) one.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
})();
