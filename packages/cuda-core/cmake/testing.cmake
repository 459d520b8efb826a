# plumbline_test(NAME target SOURCES a_test.cpp … LIBRARIES plumbline_x …): one GoogleTest executable, run by ctest.
if(PLUMBLINE_TESTS)
  enable_testing()
  if(PLUMBLINE_GOOGLETEST_SOURCE)
    # A cross build cannot use the machine's library.
    set(INSTALL_GTEST OFF)
    add_subdirectory(${PLUMBLINE_GOOGLETEST_SOURCE} ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
  else()
    find_package(GTest REQUIRED)
  endif()
endif()

function(plumbline_test)
  if(NOT PLUMBLINE_TESTS)
    return()
  endif()
  cmake_parse_arguments(TEST "" "NAME" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${TEST_NAME} ${TEST_SOURCES})
  target_link_libraries(${TEST_NAME} PRIVATE ${TEST_LIBRARIES} plumbline_options GTest::gtest_main)
  # gtest's macros compare and convert freely.
  target_compile_options(${TEST_NAME} PRIVATE -Wno-conversion -Wno-sign-conversion -Wno-sign-compare)
  target_include_directories(${TEST_NAME} PRIVATE ${PROJECT_SOURCE_DIR}/native/test)
  add_test(NAME ${TEST_NAME} COMMAND ${TEST_NAME} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()
