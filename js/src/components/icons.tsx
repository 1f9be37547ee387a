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
