"use strict";
// Shows one prompt at a time. Without it, every prompt is a section that opens by itself.
document.querySelectorAll("[data-reader]").forEach((reader) => {
  const pages = [...reader.querySelectorAll("details.example")];
  const picker = reader.querySelector(".picker");
  const select = picker.querySelector("select");
  if (pages.length < 2) return;
  const show = (wanted) => {
    const index = (wanted + pages.length) % pages.length;
    pages.forEach((page, at) => {
      page.hidden = at !== index;
      page.open = at === index;
    });
    select.selectedIndex = index;
  };
  pages.forEach((page, at) => {
    const option = document.createElement("option");
    option.textContent = `${at + 1} of ${pages.length}: ${page.querySelector("summary").textContent}`;
    select.append(option);
  });
  select.addEventListener("change", () => show(select.selectedIndex));
  picker.querySelectorAll("button").forEach((button) =>
    button.addEventListener("click", () => show(select.selectedIndex + Number(button.dataset.step))),
  );
  reader.classList.add("scripted");
  picker.hidden = false;
  show(0);
});
