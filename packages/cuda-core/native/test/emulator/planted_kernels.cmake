# Kernels with one mistake each, for tests of what finds mistakes: the source with one line changed, linked in the place of the right
# one with the op tests (cuda_planted_<mistake>, which must fail) and, where parity knows the mistake by that name, with the addon
# (plumbline_emulated_<mistake>.node). Never part of what is shipped.
add_custom_target(plumbline_planted_kernel_tests)

function(plumbline_planted_kernel mistake kernel right wrong)
  set(file ${cuda}/${kernel}.cu)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} source)
  string(REPLACE "${right}" "${wrong}" planted "${source}")
  if(planted STREQUAL source)
    message(FATAL_ERROR "${mistake} cannot be planted: ${file} has no line ${right}")
  endif()
  # Lines keep their numbers, so that what is reported can be found. Written only where it differs, so that it is not compiled anew.
  set(planted "#line 1 \"${file}\"\n${planted}")
  set(planted_file ${CMAKE_CURRENT_BINARY_DIR}/${mistake}.cpp)
  set(before "")
  if(EXISTS ${planted_file})
    file(READ ${planted_file} before)
  endif()
  if(NOT before STREQUAL planted)
    file(WRITE ${planted_file} "${planted}")
  endif()
  add_library(kernel_${mistake} OBJECT EXCLUDE_FROM_ALL ${planted_file})
  target_link_libraries(kernel_${mistake} PRIVATE plumbline_emulator)

  if(TARGET cuda_emulated_test)
    add_executable(cuda_planted_${mistake} EXCLUDE_FROM_ALL $<TARGET_OBJECTS:kernel_${mistake}> $<TARGET_OBJECTS:cuda_emulated_test>)
    target_link_libraries(cuda_planted_${mistake} PRIVATE plumbline_cuda_emulated plumbline_model GTest::gtest_main)
    add_dependencies(plumbline_planted_kernel_tests cuda_planted_${mistake})
  endif()
  if(PLUMBLINE_ADDON AND "ADDON" IN_LIST ARGN)
    plumbline_emulated_addon(plumbline_emulated_${mistake} $<TARGET_OBJECTS:kernel_${mistake}>)
    add_dependencies(plumbline_emulated_addons plumbline_emulated_${mistake})
  endif()
endfunction()

plumbline_planted_kernel(rope-pairing rope
  "pairing == RopePairing::neighbours" "pairing != RopePairing::neighbours" ADDON)
plumbline_planted_kernel(gqa-heads-interleaved attention
  "head / (cache.shape.heads / cache.shape.kv_heads)" "head % cache.shape.kv_heads" ADDON)
plumbline_planted_kernel(bias-missing linear
  "if (bias) dot += bias[output]" "static_cast<void>(bias)" ADDON)
plumbline_planted_kernel(mask-off-by-one-early attention
  "positions = first_position + blockIdx.x + 1" "positions = first_position + blockIdx.x + (first_position + blockIdx.x == 0)" ADDON)
plumbline_planted_kernel(barrier-missing attention
  "sync_threads();\n\n  float most" "\n\n  float most")
plumbline_planted_kernel(sums-not-set attention
  "sums[i] = 0.0f" "static_cast<void>(sums)")
plumbline_planted_kernel(lane-leaves-early linear
  "if (output >= out.width) return" "if (output >= out.width || lane == 31) return")
plumbline_planted_kernel(rows-beyond-the-last linear
  "if (output >= out.width) return" "if (output >= out.width + kWarps) return")
