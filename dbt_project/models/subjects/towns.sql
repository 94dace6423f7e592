select
    town_code::text as town_code,
    name_zh::text as name_zh,
    name_en::text as name_en,
    kind::text as kind,
    tile_x::integer as tile_x,
    tile_y::integer as tile_y
from {{ ref('seed_towns') }}
