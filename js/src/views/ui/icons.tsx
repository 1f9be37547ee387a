import type { ComponentChildren } from "preact";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      {children}
    </svg>
  );
}

export const CheckIcon = () => (
  <Icon>
    <path d="M3.5 8.5l3 3 6-7" />
  </Icon>
);

export const SimilarIcon = () => (
  <Icon>
    <rect x="2.5" y="2.5" width="7" height="7" rx="1.5" />
    <path d="M12 6.5h.5a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1h-5a1 1 0 0 1-1-1V12" />
  </Icon>
);

export const CloseIcon = () => (
  <Icon>
    <path d="M4 4l8 8M12 4l-8 8" />
  </Icon>
);

export const AscendingIcon = () => (
  <Icon>
    <path d="M8 13V3M4.5 6.5L8 3l3.5 3.5" />
  </Icon>
);

export const DescendingIcon = () => (
  <Icon>
    <path d="M8 3v10M4.5 9.5L8 13l3.5-3.5" />
  </Icon>
);

export const BrokenIcon = () => (
  <Icon>
    <path d="M2.5 12.5v-9h11v9zM2.5 10l3-3 2.5 2.5 2-2 3.5 3.5M11 5.5h.01" />
  </Icon>
);

export const WarningIcon = () => (
  <Icon>
    <path d="M8 2.5l6 11H2zM8 7v3M8 11.9v.1" />
  </Icon>
);

export const SmallTilesIcon = () => (
  <Icon>
    <path d="M3 3h3v3H3zM10 3h3v3h-3zM3 10h3v3H3zM10 10h3v3h-3z" />
  </Icon>
);

export const LargeTilesIcon = () => (
  <Icon>
    <rect x="2.5" y="2.5" width="11" height="11" rx="1.5" />
  </Icon>
);

export const PinIcon = () => (
  <Icon>
    <path d="M5.5 2.5h5M6.5 2.5v4L4.5 9.5h7l-2-3v-4M8 9.5v4" />
  </Icon>
);

export const NotDuplicateIcon = () => (
  <Icon>
    <path d="M8 2.5v11M5.5 5.5L3 8l2.5 2.5M10.5 5.5L13 8l-2.5 2.5" />
  </Icon>
);

export const GoesIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="5.5" />
    <path d="M5.5 8h5" />
  </Icon>
);

export const UndoIcon = () => (
  <Icon>
    <path d="M5.5 3L2.5 6l3 3M2.5 6h7a3.5 3.5 0 0 1 0 7H7" />
  </Icon>
);

export const RedoIcon = () => (
  <Icon>
    <path d="M10.5 3l3 3-3 3M13.5 6h-7a3.5 3.5 0 0 0 0 7H9" />
  </Icon>
);

export const DownIcon = () => (
  <Icon>
    <path d="M4.5 6.5L8 10l3.5-3.5" />
  </Icon>
);

export const RenameIcon = () => (
  <Icon>
    <path d="M3 13l.6-2.8L11 2.8l2.2 2.2-7.4 7.4zM9.5 4.3l2.2 2.2" />
  </Icon>
);

export const DeleteIcon = () => (
  <Icon>
    <path d="M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.5 9h6l.5-9M7 7v4M9 7v4" />
  </Icon>
);

export const CopyIcon = () => (
  <Icon>
    <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
    <path d="M10.5 5.5V4A1.5 1.5 0 0 0 9 2.5H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.5h1.5" />
  </Icon>
);

export const PlusIcon = () => (
  <Icon>
    <path d="M8 3v10M3 8h10" />
  </Icon>
);

export const BackIcon = () => (
  <Icon>
    <path d="M9.5 4.5L6 8l3.5 3.5" />
  </Icon>
);

export const AllIcon = () => (
  <Icon>
    <rect x="2.5" y="2.5" width="11" height="11" rx="1.5" />
    <path d="M5.5 8.5l2 2 3.5-4.5" />
  </Icon>
);

export const FilterIcon = () => (
  <Icon>
    <path d="M2.5 3.5h11l-4.2 5v4.2l-2.6-1.4V8.5z" />
  </Icon>
);
